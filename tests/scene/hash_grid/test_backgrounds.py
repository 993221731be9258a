import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from jsdpipe.config.recipes import load_recipe
from jsdpipe.scene.hash_grid.backgrounds import build_background, random_colors, spherical_harmonics
from jsdpipe.scene.hash_grid.settings import HashGrid, HashGridBackground, SolidBackground

HASHED = HashGridBackground(
    kind="hash_grid",
    encoding=HashGrid(levels=2, features=2, log2_table=6, base_resolution=4, growth=4.0),
    encoding_lr=0.1,
    lr=0.1,
)
SETTINGS = [SolidBackground(kind="solid", lr=0.1), load_recipe("published/jsdlr").field.background, HASHED]


def directions(count=50):
    return normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(0)), dim=-1)


def test_harmonics_are_orthonormal():
    # Gauss-Legendre in z, even steps in azimuth: exact for these degrees
    z, weight = np.polynomial.legendre.leggauss(6)
    azimuth = np.arange(12) * 2 * np.pi / 12
    flat = np.sqrt(1 - z**2)[:, None]
    points = np.stack((flat * np.cos(azimuth), flat * np.sin(azimuth), z[:, None] + 0 * azimuth), axis=-1)
    values = spherical_harmonics(torch.from_numpy(points)).numpy()
    gram = np.einsum("z,zai,zaj->ij", weight, values, values) * 2 * np.pi / 12
    assert np.allclose(gram, np.eye(9), atol=1e-12)


def test_harmonics_by_hand():
    up = spherical_harmonics(torch.tensor([0.0, 0.0, 1.0])).tolist()
    expected = [0.0] * 9
    expected[0], expected[2], expected[6] = (math.sqrt(k / (4 * math.pi)) for k in (1, 3, 5))
    assert up == pytest.approx(expected)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s.kind)
def test_colors_are_between_0_and_1_and_can_be_learnt(settings):
    background = build_background(settings, torch.Generator().manual_seed(0))
    colors = background(directions())
    assert colors.shape == (50, 3)
    assert colors.min() > 0 and colors.max() < 1
    colors.sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in background.parameters())


def test_a_solid_background_is_gray_at_first_and_one_color():
    background = build_background(SETTINGS[0])
    with torch.no_grad():
        assert background(directions()).unique().tolist() == [0.5]
        background.color.copy_(torch.tensor([-math.log(3), 0, math.log(3)]))
        assert background(directions(1))[0].tolist() == pytest.approx([0.25, 0.5, 0.75])


def test_the_map_of_harmonics_is_the_public_codes():
    background = build_background(SETTINGS[1], torch.Generator().manual_seed(0))
    assert [tuple(p.shape) for p in background.parameters()] == [(16, 9), (16, 16), (3, 16)]
    with torch.no_grad():
        first, second, third = (p.numpy() for p in background.parameters())
        hidden = np.maximum(second @ np.maximum(first @ spherical_harmonics(directions()).numpy().T, 0), 0)
        expected = 1 / (1 + np.exp(-(third @ hidden).T))
        assert np.allclose(background(directions()).numpy(), expected, atol=1e-6)


def test_a_map_of_a_hash_grid_tells_directions_apart():
    background = build_background(HASHED, torch.Generator().manual_seed(0))
    with torch.no_grad():
        background.encoding.table.uniform_(-20, 20, generator=torch.Generator().manual_seed(1))
        assert background(directions()).std(dim=0).min() > 0.01


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_random_colors_come_with_their_probability(probability):
    draw = torch.Generator().manual_seed(0)
    drawn = [random_colors(probability, 2, draw) for _ in range(1000)]
    colors = [c for c in drawn if c is not None]
    assert len(colors) / 1000 == pytest.approx(probability, abs=0.06)
    if colors:
        assert colors[0].shape == (2, 3)
        assert torch.stack(colors).mean().item() == pytest.approx(0.5, abs=0.03)
