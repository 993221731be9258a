import math

import pytest
import torch
from hash_fields import camera, hash_field
from latent_scenes import latent_scene
from torch.nn.functional import normalize
from voxel_scenes import voxel_scene

from jsdpipe.scene.hash_grid.rendering import render
from jsdpipe.scene.ray_samples import Samples
from jsdpipe.scene.regularizers import (
    convexity,
    needs_normals,
    normal_map,
    opaque,
    orientation,
    sparsity,
    total_variation,
    z_variance,
)
from jsdpipe.scene.rendering import Rendering
from jsdpipe.scene.settings import Regularizers


def samples(counts, t):
    ray = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Samples(ray, torch.tensor(t), len(counts), 0.5)


def test_sparsity_by_hand():
    # sqrt(0.01) = 0.1, sqrt(0.75 + 0.01) and sqrt(1.01)
    opacity = torch.tensor([0.0, math.sqrt(0.75), 1.0])
    assert sparsity(opacity).item() == pytest.approx((0.1 + math.sqrt(0.76) + math.sqrt(1.01)) / 3)


def test_opaque_by_hand():
    edge = -(0.001 * math.log(0.001) + 0.999 * math.log(0.999))
    assert opaque(torch.tensor([0.5])).item() == pytest.approx(math.log(2))
    assert opaque(torch.tensor([0.0, 1.0])).item() == pytest.approx(edge, rel=1e-3)


def test_opaque_drives_apart():
    opacity = torch.tensor([0.4, 0.6], requires_grad=True)
    opaque(opacity).backward()
    # half of d/dp of the entropy, log((1 - p) / p), whatever the target
    assert opacity.grad.tolist() == pytest.approx([math.log(1.5) / 2, -math.log(1.5) / 2], rel=1e-4)


def test_total_variation_by_hand():
    lattice = torch.zeros(1, 2, 2, 2)
    lattice[0, 0, 0, 1] = 3.0
    # along each axis one of four differences is 3
    assert total_variation(lattice).item() == pytest.approx(3 * 9 / 4)


def test_total_variations_gradient():
    lattice = torch.randn(2, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: 3 * total_variation(x), lattice)


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
    found = normal_map(torch.tensor([0.3, 0.4]), normals, s, torch.tensor([0.7, 0.0]))
    # (0.3, 0.4, 0) normalised is (0.6, 0.8, 0)
    assert found[0].tolist() == pytest.approx([0.7 * 0.8, 0.7 * 0.9, 0.7 * 0.5])
    assert found[1].tolist() == [0, 0, 0]


def test_the_weighted_sum_of_a_hash_grid():
    field = hash_field()
    origins, directions = (torch.cat((x, x)) for x in camera(8))
    r = render(field, origins, directions, 16, normals=True)
    weights = Regularizers(orientation=2.0, convexity=(0, 0.0, 3.0, 10), z_variance=5.0)
    found = field.regularization(weights, 5, r, views=2)
    expected = 2 * orientation(r.weights, r.normals, directions[r.samples.ray], r.opacity)
    shown = normal_map(r.weights, r.normals, r.samples, r.opacity)
    expected = expected + 1.5 * convexity(shown.view(2, 8, 8, 3)) + 5 * z_variance(r.weights, r.samples, r.opacity)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    found.backward()
    assert field.encoding.table.grad.isfinite().all()


def test_normals_are_needed_while_a_term_weighs_them():
    assert not needs_normals(Regularizers(sparsity=1.0, z_variance=1.0), 0)
    assert needs_normals(Regularizers(orientation=0.1), 0)
    falling = Regularizers(convexity=(0, 1.0, 0.0, 100))
    assert [needs_normals(falling, step) for step in (0, 99, 100)] == [True, True, False]


def test_the_weighted_sum_of_voxels():
    ours, opacity = voxel_scene(), torch.rand(10)
    rendering = Rendering(torch.rand(10, 3), opacity, torch.rand(10))
    assert ours.regularization(Regularizers(), 0, rendering, 1).item() == 0
    weights = Regularizers(sparsity=2.0, opaque=3.0, total_variation=4.0)
    expected = 2 * sparsity(opacity) + 3 * opaque(opacity)
    expected = expected + 4 * (total_variation(ours.density_grid) + total_variation(ours.albedo_grid))
    assert ours.regularization(weights, 0, rendering, 1).item() == pytest.approx(expected.item())


def test_a_weight_follows_its_schedule():
    rendering = Rendering(torch.rand(10, 3), torch.zeros(10), torch.zeros(10))
    weights = Regularizers(sparsity=(0, 0.15, 0.0, 3000))
    found = [voxel_scene().regularization(weights, step, rendering, 1).item() for step in (0, 1000, 3000, 9999)]
    # sparsity of nothing is 0.1
    assert found == pytest.approx([0.015, 0.01, 0, 0])


@pytest.mark.parametrize("scene", [voxel_scene(), hash_field(), latent_scene()], ids=lambda scene: scene.settings.kind)
def test_a_scene_has_the_regularizers_that_its_settings_name(scene):
    rendering = Rendering(torch.rand(64, 3), torch.rand(64), torch.rand(64))
    assert scene.regularizers(rendering, 1).keys() == scene.settings.regularizers <= Regularizers.model_fields.keys()
