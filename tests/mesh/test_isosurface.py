"""Surfaces of fields whose surface is known, and of fields that have none."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import solid
from torch import Tensor

from jsdpipe.mesh.isosurface import EmptyField, extract
from jsdpipe.mesh.topology import component_labels


@dataclass
class Balls:
    """Density `peak` times how deep a point lies in the deepest of some balls, clipped at 0; albedo from position."""

    balls: list[tuple[tuple[float, float, float], float]]
    peak: float = 10.0
    bound: float = 1.0

    def density(self, points: Tensor) -> Tensor:
        depth = [radius - (points - torch.tensor(center)).norm(dim=-1) for center, radius in self.balls]
        return self.peak * torch.stack(depth).amax(0).clamp(min=0)

    def albedo(self, points: Tensor) -> Tensor:
        assert points.abs().max() <= self.bound
        return points / self.bound / 2 + 0.5


class Values:
    """A field that is given by its values on the grid itself."""

    bound = 1.0

    def __init__(self, values: np.ndarray) -> None:
        self.values = torch.from_numpy(values).float()

    def density(self, points: Tensor) -> Tensor:
        index = ((points + 1) / 2 * (len(self.values) - 1)).round().long()
        return self.values[index[:, 0], index[:, 1], index[:, 2]]

    def albedo(self, points: Tensor) -> Tensor:
        return torch.zeros(len(points), 3)


def test_ball_has_its_radius_place_orientation_and_colors():
    center = np.array([0.2, -0.1, 0.3])
    # density 1 lies 0.1 inside of the radius 0.5
    mesh, threshold = extract(Balls([(tuple(center), 0.5)]), 48, threshold=1.0)
    assert threshold == 1.0
    shape = solid(mesh)
    assert shape.is_watertight and shape.is_winding_consistent
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices - center, axis=1), 0.4, atol=2e-3)
    assert shape.volume == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.01)  # positive: normals point outwards
    outwards = ((shape.triangles_center - center) * shape.face_normals).sum(axis=1)
    assert (outwards > 0).all()
    expected = np.round((mesh.vertices / 2 + 0.5) * 255)
    assert np.abs(mesh.colors - expected).max() <= 1


def test_bound_scales_the_mesh():
    field = Balls([((0.0, 0.0, 0.0), 1.5)], bound=2.0)
    mesh, _ = extract(field, 32, threshold=5.0)
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 1.0, atol=1e-2)


def test_surface_closes_at_the_sides_of_the_cube():
    mesh, _ = extract(Balls([((0.0, 0.0, 0.0), 3.0)]), 16, threshold=5.0)
    assert solid(mesh).is_watertight
    # everything is dense: the cube itself, and at most one step more
    assert (np.abs(mesh.vertices).max(axis=0) < 1 + 2 / 15).all()
    assert 8 < solid(mesh).volume < (2 + 4 / 15) ** 3


def test_auto_threshold_is_the_mean_of_what_is_not_empty():
    values = np.zeros((12, 12, 12))
    values[4:8, 4:8, 4:8] = 6
    values[8, 4:8, 4:8] = 2
    values[0, 0, 0] = 1e-6  # counts as empty
    _, threshold = extract(Values(values), 12, threshold="auto")
    assert threshold == pytest.approx((64 * 6 + 16 * 2) / 80)


@pytest.mark.parametrize("threshold", [5.0, "auto"])
def test_empty_field_says_why(threshold):
    with pytest.raises(EmptyField, match=r"\b0\b"):
        extract(Values(np.zeros((8, 8, 8))), 8, threshold)


def test_too_thin_or_broken_field_says_why():
    with pytest.raises(EmptyField, match=r"\b3\b.*\b5\b"):
        extract(Values(np.full((8, 8, 8), 3.0)), 8, 5.0)
    with pytest.raises(EmptyField, match="not finite"):
        extract(Values(np.full((8, 8, 8), np.nan)), 8, 5.0)


def test_constant_field_has_no_auto_surface():
    # the mean of equal densities is the density: nothing lies above it
    with pytest.raises(EmptyField):
        extract(Values(np.full((8, 8, 8), 3.0)), 8, "auto")


def test_small_components_are_dropped_by_their_share_of_area():
    # radii at density 1: 0.4, 0.2, 0.1 -> areas 1 : 1/4 : 1/16
    field = Balls([((-0.5, 0, 0), 0.5), ((0.3, 0, 0), 0.3), ((0.8, 0, 0), 0.2)])
    for share, count in ((0.0, 3), (0.05, 3), (0.1, 2), (0.3, 1)):
        mesh, _ = extract(field, 64, 1.0, min_component=share)
        assert component_labels(mesh.faces).max() + 1 == count == solid(mesh).body_count
        assert solid(mesh).is_watertight
        assert len(np.unique(mesh.faces)) == len(mesh.vertices)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_any_field_gives_a_closed_outward_mesh(seed, coarse):
    values = np.random.default_rng(seed).random((7, 7, 7))
    values[3, 3, 3] = 1
    if coarse:  # many densities exactly at the threshold
        values = np.round(values * 4) / 4
    mesh, _ = extract(Values(values), 7, 0.5)
    assert solid(mesh).is_watertight and solid(mesh).is_winding_consistent
    assert solid(mesh).volume > 0
