"""Distances, F-scores, silhouettes and features of clouds whose values are known."""

import numpy as np
import pytest

from jsdpipe.miniature.likeness import NEAR
from jsdpipe.scoring.clouds import PIXEL, PROBES, SIDE, VIEWS, Cloud, Comparison, features, overlaps, silhouettes

COUNT = 20_000
BLACK, WHITE = [0.0, 0.0, 0.0], [100.0, 0.0, 0.0]  # in CIELAB


def sphere(radius=1.0, seed=0):
    """Places spread over a sphere."""
    places = np.random.default_rng(seed).standard_normal((COUNT, 3))
    return radius * places / np.linalg.norm(places, axis=1, keepdims=True)


def cloud(places, lab=WHITE):
    """A cloud that is not normalized."""
    return Cloud(places, np.broadcast_to(lab, places.shape).astype(float))


@pytest.mark.parametrize(("gap", "score"), [(0.08, 1), (0.12, 0)])
def test_spheres_within_each_other(gap, score):
    found = Comparison.of(cloud(sphere()), cloud(sphere(1 + gap, seed=1)))
    # the nearest point is along the radius, and some hundredths to the side
    assert found.chamfer == pytest.approx(gap, rel=0.03)
    assert (found.f_score, found.colored_f_score) == (score, score)
    assert found.color_error == 0


def test_half_of_a_sphere():
    """All of the half is on the sphere; of the sphere, the half and a rim of points nearer than NEAR are met."""
    half = sphere()
    half = half[half[:, 2] > 0]
    found = Comparison.of(cloud(half), cloud(sphere(seed=1)))
    met = 0.5 + np.sin(2 * np.arcsin(NEAR / 2)) / 2
    assert found.asset.near.all() and found.truth.near.mean() == pytest.approx(met, abs=0.02)
    assert found.f_score == pytest.approx(2 * met / (1 + met), abs=0.02)


def test_colors_count_where_the_places_do():
    """Half of the asset is black, all of the truth white: 100 apart on one half, and equal on the other."""
    asset = cloud(sphere())
    asset.lab[asset.places[:, 0] < 0] = BLACK
    found = Comparison.of(asset, cloud(sphere(seed=1)))
    assert found.f_score == 1
    assert found.colored_f_score == pytest.approx(0.5, abs=0.01)
    assert found.color_error == pytest.approx(50, abs=1)


def test_position_and_scale_are_normalized_and_the_pose_is_not():
    places = sphere() * [1, 2, 3]
    one, moved = (Cloud.of(p, np.zeros_like(p)) for p in (places, 0.1 * places + [3, 4, 5]))
    np.testing.assert_allclose(one.places, moved.places, atol=1e-9)
    np.testing.assert_allclose(one.places.mean(axis=0), 0, atol=1e-9)
    assert np.mean((one.places**2).sum(axis=1)) == pytest.approx(1)
    turned = Cloud.of(places[:, [1, 0, 2]], np.zeros_like(places))
    assert Comparison.of(one, turned).chamfer > 0.1
    np.testing.assert_allclose(Cloud.of(places, np.ones_like(places)).lab, np.broadcast_to(WHITE, places.shape), atol=1)


def test_a_sphere_s_silhouette_is_a_disc():
    seen = silhouettes(cloud(sphere()))
    assert seen.shape == (VIEWS, SIDE**2)
    radius = 1 / PIXEL  # every pixel that the disc touches is covered: its area, and about a half of 8 radii
    assert seen.sum(axis=1) == pytest.approx(np.pi * radius**2 + 4 * radius, rel=0.03)


def test_the_front_sees_left_and_right_up_and_down():
    """A point at +y and one high up, seen from +x; half a ring later the first is on the other side."""
    for place, (column, row) in {(0, 1, 0): (0, None), (0, 0, 1): (None, 0)}.items():
        seen = silhouettes(cloud(np.array([place], float))).reshape(VIEWS, SIDE, SIDE)
        (y, x), (_, turned) = (np.argwhere(seen[view])[0] for view in (0, VIEWS // 2))
        middle = SIDE // 2
        if column is not None:
            assert (x, turned) == (middle + round(1 / PIXEL), middle - round(1 / PIXEL))
        if row is not None:
            assert y == pytest.approx(middle + np.cos(np.deg2rad(15)) / PIXEL, abs=1) and x == middle


def test_overlaps_view_by_view():
    one = np.array([[True, True, False, False], [True, False, False, False]])
    several = np.array([[[True, False, True, False], [True, False, False, False]]])
    np.testing.assert_allclose(overlaps(one, several), [[1 / 3, 1]])


def test_the_distance_of_features_is_that_of_the_distance_fields():
    near, far = (np.abs(np.linalg.norm(PROBES, axis=1) - radius) for radius in (1.0, 1.1))
    expected = np.mean(((near - far) / NEAR) ** 2)
    one, other = (features(cloud(sphere(radius))).astype(float) for radius in (1.0, 1.1))
    assert ((one - other) ** 2).sum() == pytest.approx(expected, rel=0.02)
    black = features(cloud(sphere(), BLACK)).astype(float)
    assert ((one - black) ** 2).sum() == pytest.approx((100 / 20) ** 2, rel=1e-6)
