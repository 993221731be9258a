import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import cKDTree

from jsdpipe.miniature.grammar import COLORS, KINDS, PATTERNS, SURROUNDINGS, Description, Thing
from jsdpipe.miniature.scenes import compose
from jsdpipe.miniature.solids import SHAPES, distance, select

EXACT = {
    "ellipsoid": ((0.5, 0.5, 0.5), trimesh.creation.icosphere(subdivisions=5, radius=0.5)),
    "box": ((0.3, 0.4, 0.5), trimesh.creation.box(extents=(0.6, 0.8, 1.0))),
    "cylinder": ((0.4, 0.5), trimesh.creation.cylinder(radius=0.4, height=1.0, sections=512)),
    "torus": ((0.5, 0.2), trimesh.creation.torus(0.5, 0.2, major_sections=256, minor_sections=128)),
    "cone": (
        (0.5, 0.2, 0.4),
        trimesh.creation.revolve([[0, -0.4], [0.5, -0.4], [0.2, 0.4], [0, 0.4]], sections=512),
    ),
}


@pytest.mark.parametrize("shape", EXACT)
def test_distances_are_those_of_a_fine_mesh(shape):
    size, mesh = EXACT[shape]
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (200, 3))
    surface, _ = trimesh.sample.sample_surface(mesh, 60_000, seed=0)
    nearest, _ = cKDTree(surface).query(points)
    expected = np.where(mesh.contains(points), -nearest, nearest)
    got = SHAPES[shape](torch.tensor(points).float(), torch.tensor([size]).expand(200, -1)).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-2)


def test_a_pyramid_ends_at_its_four_faces_and_its_base():
    size = torch.tensor([[0.6, 0.5]])
    on_surface = torch.tensor([[0.6, 0.6, -0.5], [0.0, 0.0, 0.5], [0.3, 0.1, 0.0], [0.1, -0.3, 0.0], [0.2, 0.1, -0.5]])
    got = SHAPES["pyramid"](on_surface, size.expand(5, -1))
    torch.testing.assert_close(got, torch.zeros(5), atol=1e-6, rtol=0)
    inside, outside = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[0.5, 0.0, 0.2]])
    assert SHAPES["pyramid"](inside, size) < 0 < SHAPES["pyramid"](outside, size)


def scene_of(description: Description):
    return compose([description], torch.Generator().manual_seed(0))


def test_every_kind_fits_the_view_and_has_a_body():
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(2)) * 2.6 - 1.3
    for kind in KINDS:
        scene = compose([Description((Thing(kind),))] * 8, torch.Generator().manual_seed(1))
        for item in range(8):
            d = distance(select(scene, torch.full((4000,), item)), points)
            inside = points[d < 0]
            assert len(inside) > 5, kind
            assert inside.norm(dim=-1).max() < 1.2, kind
            assert inside[:, 2].min() > -1.05, kind


def test_a_mug_is_hollow_and_a_carved_part_leaves_other_things_whole():
    mug = scene_of(Description((Thing("mug"),)))
    inside_the_mug = torch.tensor([[0.0, 0.0, 0.4]])
    assert distance(select(mug, torch.zeros(1, dtype=torch.long)), inside_the_mug) > 0
    pair = scene_of(Description((Thing("ball", "red"), Thing("mushroom", "blue")), relation="and"))
    inside_the_ball = torch.tensor([[0.05, -0.46, -0.05]])  # below the mushroom's cap, where its part is carved
    assert distance(select(pair, torch.zeros(1, dtype=torch.long)), inside_the_ball) < -0.1


def test_every_surrounding_carries_its_thing():
    for surrounding in SURROUNDINGS:
        solids = scene_of(Description((Thing("cube", COLORS[0], PATTERNS[0]),), surrounding=surrounding))
        below = torch.tensor([[0.0, 0.0, -0.62]])
        index = torch.zeros(1, dtype=torch.long)
        gap = min(float(distance([select([s], index)[0]], below)) for s in solids)
        assert gap < 0.15  # the ground or the cube is there: the thing does not float
