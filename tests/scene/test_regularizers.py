"""The terms of hash-grid fields; those that voxels have too are in test_scene.py."""

import math

import pytest
import torch
from hash_fields import camera, hash_field
from torch.nn.functional import normalize

from jsdpipe.scene.hash_grid.marching import Samples
from jsdpipe.scene.hash_grid.rendering import render_hash
from jsdpipe.scene.regularization import needs_normals, regularise
from jsdpipe.scene.regularizers import convexity, normal_picture, orientation, z_variance
from jsdpipe.scene.settings import Regularisers


def samples(counts, t):
    ray = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Samples(ray, torch.tensor(t), len(counts), 0.5)


class TestOrientation:
    def test_by_hand(self):
        directions = torch.tensor([[1.0, 0, 0]]).expand(3, 3)
        normals = torch.tensor([[0.6, 0.8, 0], [-0.6, 0.8, 0], [1, 0, 0]])
        weights = torch.tensor([0.5, 0.25, 0.1], requires_grad=True)
        found = orientation(weights, normals, directions, torch.tensor([0.75, 0.1, 0.0]))
        # (0.5 * 0.36 + 0.1) over two rays hit
        assert found.item() == pytest.approx(0.14)
        assert not found.requires_grad

    def test_no_ray_is_hit(self):
        none = torch.empty(0, 3)
        assert orientation(torch.empty(0), none, none, torch.zeros(4)).item() == 0


class TestZVariance:
    def test_by_hand(self):
        # weights 0.6 and 0.2 at 1 and 3: mean 1.5, variance (0.6 * 0.25 + 0.2 * 2.25) / 0.8 = 0.75; the second ray is
        # not opaque, the third has one depth
        s = samples([2, 2, 1], [1.0, 3.0, 0.0, 9.0, 2.0])
        weights, opacity = torch.tensor([0.6, 0.2, 0.2, 0.2, 0.9]), torch.tensor([0.8, 0.4, 0.9])
        assert z_variance(weights, s, opacity).item() == pytest.approx(0.375)

    def test_0_where_no_ray_is_opaque(self):
        weights = torch.tensor([0.2, 0.2], requires_grad=True)
        found = z_variance(weights, samples([2], [1.0, 2.0]), weights.sum()[None])
        assert found.item() == 0
        found.backward()
        assert weights.grad.tolist() == [0, 0]

    def test_0_where_there_is_no_sample(self):
        assert z_variance(torch.empty(0), samples([0, 0], []), torch.zeros(2)).item() == 0


def picture(size, bulge):
    """Unit normals of a ball, or a bowl, seen from +x: to the right is +y, the first row is the top."""
    across = (torch.arange(size) + 0.5) / size - 0.5
    y, z = across.expand(size, size) * bulge, -across[:, None].expand(size, size) * bulge
    return normalize(torch.stack((torch.ones(size, size), y, z), dim=-1), dim=-1)[None]


class TestConvexity:
    def test_by_hand(self):
        # 8 columns, each turned by 10 degrees more about the vertical: a sine of 10 degrees from column to column
        angle = torch.deg2rad(10.0 * torch.arange(8))
        row = torch.stack((angle.cos(), angle.sin(), torch.zeros(8)), dim=-1)
        found = convexity(row.expand(1, 8, 8, 3))
        assert found.item() == pytest.approx(-math.sin(math.radians(10)), rel=1e-5)

    def test_a_ball_is_convex_and_a_bowl_is_not(self):
        assert convexity(picture(32, 1.0)) < 0 < convexity(picture(32, -1.0))

    def test_a_flat_wall_is_neither(self):
        assert convexity(picture(32, 0.0)).item() == pytest.approx(0, abs=1e-6)

    def test_a_larger_picture_is_looked_at_in_8_by_8_places(self):
        # a bilinear look at the middle of 4 x 4 pixels: the mean of the middle four
        large = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(0))
        small = large.view(1, 8, 4, 8, 4, 3)[:, :, 1:3, :, 1:3].mean(dim=(2, 4))
        assert convexity(large).item() == pytest.approx(convexity(small).item(), abs=1e-6)


def test_the_picture_of_normals_by_hand():
    s = samples([2, 0], [1.0, 2.0])
    normals = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    found = normal_picture(torch.tensor([0.3, 0.4]), normals, s, torch.tensor([0.7, 0.0]))
    # (0.3, 0.4, 0) normalised is (0.6, 0.8, 0)
    assert found[0].tolist() == pytest.approx([0.7 * 0.8, 0.7 * 0.9, 0.7 * 0.5])
    assert found[1].tolist() == [0, 0, 0]


def test_the_weighted_sum():
    field = hash_field()
    origins, directions = (torch.cat((x, x)) for x in camera(8))
    r = render_hash(field, origins, directions, 16, normals=True)
    found = regularise(Regularisers(orientation=2.0, convexity=(0, 0.0, 3.0, 10), z_variance=5.0), 5, r, field, views=2)
    expected = 2 * orientation(r.weights, r.normals, directions[r.samples.ray], r.opacity)
    shown = normal_picture(r.weights, r.normals, r.samples, r.opacity)
    expected = expected + 1.5 * convexity(shown.view(2, 8, 8, 3)) + 5 * z_variance(r.weights, r.samples, r.opacity)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    found.backward()
    assert field.encoding.table.grad.isfinite().all()


def test_normals_are_needed_while_a_term_weighs_them():
    assert not needs_normals(Regularisers(sparsity=1.0, z_variance=1.0), 0)
    assert needs_normals(Regularisers(orientation=0.1), 0)
    falling = Regularisers(convexity=(0, 1.0, 0.0, 100))
    assert [needs_normals(falling, step) for step in (0, 99, 100)] == [True, True, False]
