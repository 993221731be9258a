import math

import pytest
import torch

from jsdpipe.config.recipes import load_recipe
from jsdpipe.scene.hash_grid.shading import random_shading, shade

PUBLIC = load_recipe("published/jsdlr").field.material
CAMERAS = torch.tensor([[0.0, 0.0, 2.0]])


def shadings(count, step=5000, cameras=CAMERAS):
    draw = torch.Generator().manual_seed(0)
    return [random_shading(PUBLIC, step, cameras, draw) for _ in range(count)]


def test_lit_colors_by_hand():
    # the light 1 above, the normal turned away by 60 degrees, then by 120
    points = torch.zeros(2, 3)
    lights = torch.tensor([[0.0, 0, 1]]).expand(2, 3)
    normals = torch.tensor([[math.sin(a), 0, math.cos(a)] for a in (math.pi / 3, 2 * math.pi / 3)])
    albedo = torch.tensor([[0.2, 0.4, 1.0]]).expand(2, 3)
    diffuse = shade(PUBLIC, "diffuse", albedo, normals, points, lights)
    assert diffuse[0].tolist() == pytest.approx([0.11, 0.22, 0.55])  # 0.1 + 0.9 / 2
    assert diffuse[1].tolist() == pytest.approx([0.02, 0.04, 0.1])
    textureless = shade(PUBLIC, "textureless", albedo, normals, points, lights)
    assert textureless[0].tolist() == pytest.approx([0.55] * 3)
    assert textureless[1].tolist() == pytest.approx([0.1] * 3)
    assert torch.equal(shade(PUBLIC, "albedo", albedo, normals, points, lights), albedo)
    colors = shade(PUBLIC, "normals", albedo, normals, points, lights)
    for color, angle in zip(colors.tolist(), (math.pi / 3, 2 * math.pi / 3), strict=True):
        assert color == pytest.approx([0.5 + math.sin(angle) / 2, 0.5, 0.5 + math.cos(angle) / 2])


def test_albedo_only_for_the_first_steps():
    assert {s.mode for s in shadings(200, step=999)} == {"albedo"}
    assert {s.mode for s in shadings(200, step=1000)} == {"albedo", "diffuse", "textureless"}


def test_shares_of_the_shadings():
    modes = [s.mode for s in shadings(4000)]
    # four deviations of a share of 4000 draws
    for shading, share in [("albedo", 0.7), ("textureless", 0.225), ("diffuse", 0.075)]:
        assert modes.count(shading) / 4000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 4000))


def test_textureless_can_be_normals():
    normals = PUBLIC.model_copy(update={"textureless_as": "normals"})
    draw = torch.Generator().manual_seed(0)
    found = [random_shading(normals, 5000, CAMERAS, draw).mode for _ in range(200)]
    assert found == [{"textureless": "normals"}.get(s.mode, s.mode) for s in shadings(200)]


def test_lights_are_near_the_camera():
    lights = torch.cat([s.lights for s in shadings(3000)])
    distance = lights.norm(dim=-1)
    assert 0.8 <= distance.min() < 0.82
    assert 1.48 < distance.max() <= 1.5
    assert distance.mean().item() == pytest.approx(1.15, abs=0.02)
    # direction: N((0, 0, 2), 1) normalised
    expected = torch.randn(100_000, 3, generator=torch.Generator().manual_seed(1)) + CAMERAS
    expected = torch.nn.functional.normalize(expected, dim=-1)
    direction = lights / distance[:, None]
    assert torch.allclose(direction.mean(dim=0), expected.mean(dim=0), atol=0.03)
    assert torch.allclose(direction.std(dim=0), expected.std(dim=0), atol=0.03)


def test_every_step_takes_as_many_draws():
    states = []
    for step in (0, 5000):
        draw = torch.Generator().manual_seed(3)
        random_shading(PUBLIC, step, CAMERAS, draw)
        states.append(draw.get_state())
    assert torch.equal(*states)
