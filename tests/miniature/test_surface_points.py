"""Points on the surfaces of scenes: on the surface, as many as its parts have area, with its colors."""

import numpy as np
import pytest
import torch

from jsdpipe.base.seeding import generator
from jsdpipe.miniature.grammar import parse
from jsdpipe.miniature.scenes import compose
from jsdpipe.miniature.solids import albedo, distance, select
from jsdpipe.miniature.surface_points import surface_points

COUNT = 4000


def drawn(text, scenes=1):
    scene = compose([parse(text)] * scenes, generator("test", text))
    return scene, surface_points(scene, COUNT, np.random.default_rng(0))


@pytest.mark.parametrize("text", ["an umbrella", "a mug", "a striped cactus", "a duck on a spotted table"])
def test_points_are_on_the_surface_in_its_colors(text):
    scene, (points,) = drawn(text)
    places, of = torch.from_numpy(points.places), select(scene, torch.zeros(COUNT, dtype=torch.long))
    assert distance(of, places).abs().max() < 2e-3
    same = (albedo(of, places) - torch.from_numpy(points.colors)).abs().amax(dim=1) < 1e-6
    assert same.float().mean() > 0.99  # but for points where parts meet
    of_solid = torch.stack([distance([solid], places).abs() for solid in of])
    np.testing.assert_array_equal(of_solid.argmin(dim=0).numpy(), points.solids)


def test_points_are_spread_evenly():
    """A donut's area within the angle a of its outer equator is proportional to R a + r sin(a)."""
    scene, (points,) = drawn("a donut")
    ring, tube = scene[0][0].size[0].tolist()
    x, y, z = points.places.T
    around = np.abs(np.arctan2(z, np.hypot(x, y) - ring))
    for angle in (0.5, 1.5, 2.5):
        share = (ring * angle + tube * np.sin(angle)) / (ring * np.pi)
        assert (around < angle).mean() == pytest.approx(share, abs=4 * 0.5 / COUNT**0.5)
    assert np.mean(x > 0) == pytest.approx(0.5, abs=4 * 0.5 / COUNT**0.5)


def test_both_sides_of_a_thin_shell_count():
    """An umbrella's shell is 0.02 thick: inside and outside get about as many points."""
    scene, (points,) = drawn("an umbrella")
    outer = scene[0][0]
    low = points.places[:, 2] > float(outer.center[0, 2]) + 0.05
    shell = low & (np.hypot(*points.places[:, :2].T) > 0.2)
    relative = (points.places[shell] - outer.center[0].numpy()) / outer.size[0].numpy()
    outside = np.linalg.norm(relative, axis=1) > 0.99
    assert 0.45 < outside.mean() < 0.6


def test_each_scene_has_its_own_points_and_the_same_draws_give_the_same():
    _, (one, other) = drawn("a ball", scenes=2)
    radii = [np.linalg.norm(points.places, axis=1).max() for points in (one, other)]
    assert radii[0] != pytest.approx(radii[1], abs=1e-3)
    np.testing.assert_array_equal(drawn("a ball", scenes=2)[1][1].places, other.places)
