import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_device import DEVICE

from jsdpipe.scene.hash_grid.counting import done
from jsdpipe.scene.hash_grid.occupancy import OccupancyGrid
from jsdpipe.scene.hash_grid.occupancy import march as plain
from jsdpipe.scene.kernels.marching import BLOCK, march
from jsdpipe.scene.rendering import intersect_ball


def rays(count, seed):
    """Origins, directions, and where they enter and leave the unit ball; some miss it."""
    draw = torch.Generator().manual_seed(seed)
    origins = 2 * torch.nn.functional.normalize(torch.randn(count, 3, generator=draw), dim=-1)
    aims = 1.5 * (torch.rand(count, 3, generator=draw) - 0.5)
    directions = torch.nn.functional.normalize(aims - origins, dim=-1)
    return origins, directions, *intersect_ball(origins, directions, 1.0)


def assert_the_same(of_rays, step, grid):
    expected = done(plain(*of_rays, step, grid))
    found = done(march(*(x.to(DEVICE) for x in of_rays), step, grid.to(DEVICE)))
    assert torch.equal(found.ray.cpu(), expected.ray)
    assert torch.equal(found.t.cpu(), expected.t)
    assert (found.rays, found.step) == (expected.rays, expected.step)
    return expected


@settings(max_examples=15)
@given(st.integers(0, 6), st.integers(2, 9), st.sampled_from([0.3, 0.07, 3.0]), st.floats(0, 1), st.integers(0, 999))
def test_samples_are_those_of_pytorch_to_the_bit(count, resolution, step, share, seed):
    grid = OccupancyGrid(resolution, 1.0)
    draw = torch.Generator().manual_seed(seed)
    grid.occupied.copy_(torch.rand(grid.occupied.shape, generator=draw) < share)
    assert_the_same(rays(count, seed), step, grid)


@pytest.mark.parametrize("full", [True, False])
def test_more_steps_than_a_block(full):
    grid = OccupancyGrid(4, 1.0)
    if not full:
        grid.occupied[:2] = False
    found = assert_the_same(rays(5, 1), 1.5 / BLOCK, grid)
    assert found.counts.max() > (BLOCK if full else 1)


def test_rays_that_all_miss_and_rays_outside_of_the_grid():
    origins, directions = torch.tensor([[3.0, 0, 0], [0, 5, 0]]), torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    grid = OccupancyGrid(4, 1.0)
    missed = intersect_ball(origins, directions, 1.0)
    assert len(assert_the_same((origins, directions, *missed), 0.1, grid).t) == 0
    beyond = torch.zeros(2), torch.full((2,), 1e3)
    assert len(assert_the_same((origins, 1e8 * directions, *beyond), 50.0, grid).t) == 40  # in the cells at its sides
