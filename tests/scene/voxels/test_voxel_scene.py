import math

import numpy as np
import pytest
import torch
from hash_fields import camera
from voxel_scenes import SETTINGS, voxel_scene

from jsdpipe.scene import marching
from jsdpipe.scene.rendering import intersect_ball
from jsdpipe.scene.voxels.rendering import MIN_WEIGHT, render
from jsdpipe.scene.voxels.scene import VoxelBatch


def uniform(density, background=(0.0, 0.0, 0.0)):
    """A gray ball of one density: softplus(p) * scale = density, without a blob."""
    voxels = VoxelBatch(SETTINGS.model_copy(update={"blob_scale": 0.0}), 1).requires_grad_(False)
    voxels.density.fill_(math.log(math.expm1(density / SETTINGS.density_scale)))
    voxels.background.copy_(torch.tensor([background]))
    return voxels.scenes()[0]


class TestField:
    def test_density_and_albedo_by_hand(self):
        empty = VoxelBatch(SETTINGS, 1).scenes()[0]
        points = torch.tensor([[0.0, 0, 0], [0, 0.25, 0], [0, 0, 1.0], [1.3, 0, 0]])
        raw = np.array([2.0, 1.0, -2.0])  # 2 (1 - |x| / 0.5)
        expected = [*(5 * np.log1p(np.exp(raw))), 0.0]
        assert empty.density(points).tolist() == pytest.approx(expected, rel=1e-5)
        assert empty.albedo(points).tolist() == [[0.5] * 3] * 4

    def test_lattice_points_are_where_they_should_be(self):
        voxels = VoxelBatch(SETTINGS, 2)
        with torch.no_grad():
            voxels.albedo[1, 2, 0, 4, 8] = 3.0  # z lowest, y in the middle, x highest
        place = torch.tensor([[1.2, 0, -1.2]])
        assert voxels.scenes()[1].albedo(place)[0].tolist() == pytest.approx([0.5, 0.5, 1 / (1 + math.exp(-3))])
        assert voxels.scenes()[0].albedo(place)[0].tolist() == [0.5] * 3


class TestRendering:
    def test_a_uniform_ball_has_the_opacity_of_its_chord(self):
        origins, directions = camera(12)
        near, far = intersect_ball(origins, directions, 1.2)
        rendering = render(uniform(0.8), origins, directions, samples=400)
        expected = 1 - np.exp(-0.8 * (far - near).numpy())
        assert np.allclose(rendering.opacity.numpy(), expected, atol=3e-3)

    def test_half_gray_over_the_background_by_hand(self):
        ours = uniform(0.8, background=(-math.log(3), 0, math.log(3)))  # 0.25, 0.5, 0.75
        origins, directions = torch.tensor([[3.0, 0, 0]]), torch.tensor([[-1.0, 0, 0]])
        rendering = render(ours, origins, directions, samples=24)
        opacity = 1 - math.exp(-0.8 * 2.4)
        expected = [opacity * 0.5 + (1 - opacity) * b for b in (0.25, 0.5, 0.75)]
        assert rendering.rgb[0].tolist() == pytest.approx(expected, rel=1e-5)

    def test_depth_of_a_solid_ball_is_its_front(self):
        origins, directions = torch.tensor([[3.0, 0, 0], [3, 0, 0]]), torch.tensor([[-1.0, 0, 0], [1, 0, 0]])
        depth = render(uniform(500.0), origins, directions, samples=100).depth
        assert depth[0].item() == pytest.approx(1.8, abs=0.03)
        assert depth[1].item() == 0

    @pytest.mark.parametrize("distance", [2.6, 0.4])
    @pytest.mark.parametrize("chunk", [64, 1 << 15])
    @pytest.mark.parametrize("jitter", [False, True])
    def test_values_and_gradients_are_those_of_plain_autograd(self, monkeypatch, distance, chunk, jitter):
        monkeypatch.setattr(marching, "samples_at_once", lambda _: chunk)
        origins, directions = camera(12, distance)
        on_rgb, on_opacity = torch.randn(144, 3), torch.randn(144)
        results = []
        for draw in (render, plainly):
            ours = voxel_scene()
            tensors = [ours.density_grid, ours.albedo_grid, ours.background]
            rendering = draw(ours, origins, directions, 20, torch.Generator().manual_seed(3) if jitter else None)
            rgb, opacity = (rendering.rgb, rendering.opacity) if draw is render else rendering
            loss = (rgb * on_rgb).sum() + (opacity * on_opacity).sum()
            results.append([rgb, opacity, *torch.autograd.grad(loss, tensors)])
        for found, expected in zip(*results, strict=True):
            assert torch.allclose(found, expected, atol=2e-4 * float(expected.detach().abs().max()))

    def test_evaluation_draws_nothing_and_training_draws_from_its_generator(self):
        origins, directions = camera(12)
        torch.manual_seed(0)
        state = torch.get_rng_state()
        still = [render(voxel_scene(), origins, directions, 20).rgb for _ in range(2)]
        moved = [
            render(voxel_scene(), origins, directions, 20, torch.Generator().manual_seed(s)).rgb for s in (1, 1, 2)
        ]
        assert torch.equal(still[0], still[1])
        assert torch.equal(moved[0], moved[1])
        assert not torch.equal(moved[0], moved[2])
        assert torch.equal(torch.get_rng_state(), state)

    def test_rays_that_all_miss(self):
        ours = voxel_scene()
        rendering = render(ours, torch.tensor([[3.0, 0, 0]]), torch.tensor([[1.0, 0, 0]]), 20)
        assert rendering.opacity.tolist() == [0]
        assert torch.allclose(rendering.rgb[0], torch.sigmoid(ours.background))


def plainly(ours, origins, directions, samples, generator):
    """The same rendering by dense PyTorch operations and autograd."""
    s = ours.settings
    near, far = intersect_ball(origins, directions, s.bound)
    start = torch.full_like(near, 0.5) if generator is None else torch.rand(len(near), generator=generator)
    step = 2 * s.bound / samples
    t = near[:, None] + step * (start[:, None] + torch.arange(samples))
    points = (origins[:, None] + t[..., None] * directions[:, None]).reshape(-1, 3)
    tau = step * ours.density(points).view_as(t) * (t < far[:, None])
    alpha = 1 - torch.exp(-tau)
    clear = torch.cumprod(torch.cat((torch.ones(len(t), 1), 1 - alpha), dim=1), dim=1)
    weights = clear[:, :-1] * alpha
    albedo = ours.albedo(points).view(*t.shape, 3)
    albedo = torch.where(weights[..., None] > MIN_WEIGHT, albedo, albedo.detach())
    rgb = (weights[..., None] * albedo).sum(dim=1) + clear[:, -1:] * torch.sigmoid(ours.background)
    return rgb, 1 - clear[:, -1]
