import pytest
import torch

from jsdpipe.scene.hash_grid.counting import done
from jsdpipe.scene.hash_grid.occupancy import DECAY, WARM_UP, OccupancyGrid, march


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def ball(points):
    return (points.norm(dim=-1) < 0.6).float()


def test_all_is_occupied_until_the_first_update():
    grid = OccupancyGrid(4, 1.0)
    assert grid.at(torch.rand(50, 3) * 2 - 1).all()


def test_cells_are_where_they_should_be():
    grid = OccupancyGrid(4, 1.0)
    grid.update(0, lambda points: ((points[:, 0] > 0.5) & (points[:, 1] < -0.5)).float(), drawn())
    assert grid.occupied.nonzero().tolist() == [[3, 0, z] for z in range(4)]
    assert grid.at(torch.tensor([[0.6, -0.9, 0.3], [-0.9, 0.6, 0.3], [1.0, -1.0, 1.0]])).tolist() == [True, False, True]


def test_every_cell_is_seen_at_a_point_of_its_own():
    grid, seen = OccupancyGrid(4, 2.0), []
    grid.update(0, lambda points: seen.append(points) or ball(points), drawn())
    (points,) = seen
    cells = ((points + 2) / 4 * 4).floor().long()
    assert sorted(cells.tolist()) == [[x, y, z] for x in range(4) for y in range(4) for z in range(4)]
    assert (points - points.round()).abs().std() > 0.1


def test_a_cell_keeps_the_larger_of_what_is_seen_and_what_it_held_decayed():
    grid = OccupancyGrid(2, 1.0)
    for value in (1.0, 0.99, 0.0, 0.0):
        grid.update(0, lambda points, value=value: torch.full((len(points),), value), drawn())
    # 1, then 0.99 > 0.95, then decayed twice
    assert grid.optical_depth.unique().tolist() == pytest.approx([0.99 * DECAY**2])


@pytest.mark.parametrize(("values", "occupied"), [((0.5, 0.02, 0.005), 2), ((0.004, 0.002, 0.0005), 2)])
def test_occupied_is_above_the_mean_at_most_above_a_hundredth(values, occupied):
    # means of all eight cells: 0.066, cut to 0.01, and 0.0008
    grid = OccupancyGrid(2, 1.0)
    grid.update(0, lambda points: torch.tensor([*values, 0, 0, 0, 0, 0]), drawn())
    assert grid.occupied.sum() == occupied


def test_nothing_anywhere():
    grid = OccupancyGrid(2, 1.0)
    grid.update(0, lambda points: torch.zeros(len(points)), drawn())
    assert not grid.occupied.any()


def test_after_the_warm_up_a_quarter_is_looked_at_and_what_is_occupied():
    grid, counts = OccupancyGrid(8, 1.0), []
    grid.update(0, ball, drawn())
    occupied = int(grid.occupied.sum())
    grid.update(WARM_UP, lambda points: counts.append(len(points)) or ball(points), drawn(1))
    assert counts == [128 + min(occupied, 128)]
    assert grid.at(torch.zeros(1, 3)).all()


def test_the_same_draws_give_the_same_grid():
    grids = [OccupancyGrid(8, 1.0) for _ in range(2)]
    for grid in grids:
        draw = drawn()
        for step in (0, WARM_UP):
            grid.update(step, ball, draw)
    assert torch.equal(grids[0].optical_depth, grids[1].optical_depth)


def test_steps_in_occupied_cells_by_hand():
    # along x through cells [-1, 0), [0, 1): only the latter is occupied
    grid = OccupancyGrid(2, 1.0)
    grid.occupied.fill_(False)
    grid.occupied[1, 1, 1] = True
    origins = torch.tensor([[-1.0, 0.5, 0.5], [-1, -0.5, 0.5], [-1, 0.5, 0.5]])
    directions = torch.tensor([[1.0, 0, 0]]).expand(3, 3)
    found = done(march(origins, directions, torch.tensor([0.1, 0, 0]), torch.tensor([1.8, 2, 0]), 0.4, grid))
    # middles at 0.3, 0.7, 1.1, 1.5, 1.9: of the cell are those from 1 on, before 1.8
    assert found.ray.tolist() == [0, 0]
    assert found.t.tolist() == pytest.approx([1.1, 1.5])
    assert found.counts.tolist() == [2, 0, 0]


def test_occupancy_is_nerfaccs():
    nerfacc = pytest.importorskip("nerfacc")
    theirs, ours = nerfacc.OccGridEstimator([-1.0] * 3 + [1.0] * 3, 8), OccupancyGrid(8, 1.0)

    def optical_depth(points):  # the same all over a cell
        return ((points + 1) * 4).long().float().norm(dim=-1) / 500

    theirs.update_every_n_steps(step=0, occ_eval_fn=optical_depth)
    ours.update(0, optical_depth, torch.Generator().manual_seed(0))
    assert torch.allclose(theirs.occs.view(8, 8, 8), ours.optical_depth)
    assert torch.equal(theirs.binaries[0], ours.occupied)
