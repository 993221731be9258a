import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hash_fields import camera
from latent_scenes import SETTINGS, latent_scene
from scipy.ndimage import map_coordinates

from jsdpipe.scene import marching
from jsdpipe.scene.files import load, save
from jsdpipe.scene.latent_voxels.scene import LatentVoxelBatch
from jsdpipe.scene.regularizers import opaque, sparsity
from jsdpipe.scene.settings import Regularizers


def generators(count):
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def uniform(density):
    """Voxels of one density, before the map that they are drawn with."""
    batch = LatentVoxelBatch(SETTINGS, generators(1)).requires_grad_(False)
    batch.density.fill_(math.log(math.expm1(density)) + 1)
    return batch.scenes()[0]


class TestField:
    def test_an_empty_one_by_hand(self):
        batch = LatentVoxelBatch(SETTINGS, generators(2))
        points = torch.tensor([[0.0, 0, 0], [0.9, -0.9, 0.9], [1.1, 0, 0]])  # the second outside the ball
        haze = math.log1p(math.exp(-1))
        first, second = batch.scenes()
        assert first.density(points).tolist() == pytest.approx([haze, haze, 0])
        assert first.latent_grid.abs().max() == 0
        assert first.background.shape == (4, 4, 4)
        assert not torch.equal(first.background, second.background)

    def test_the_learned_scale_multiplies_the_parameter(self):
        scene = uniform(1.0)
        scene.density_grid.fill_(2.0)
        scene = replace(scene, density_scale=torch.tensor(math.log(3)))
        assert scene.density(torch.zeros(1, 3)).item() == pytest.approx(math.log1p(math.exp(3 * 2 - 1)))

    def test_voxels_are_cells_of_the_cube(self):
        scene = uniform(1.0)
        scene.density_grid[0, 0, 4, 7] = 5.0  # z lowest, x highest; cells are 0.25 wide
        at = torch.tensor([[0.875, 0.125, -0.875], [1.0, 0.125, -1.0]])
        assert scene.density(at).tolist() == pytest.approx([math.log1p(math.exp(4))] * 2)

    def test_albedo_is_a_linear_map_of_the_latents(self):
        scene = uniform(1.0)
        scene.latent_grid.copy_(torch.tensor([1.0, -1.0, 0.5, 2.0]).view(4, 1, 1, 1))
        # red: (0.298 - 0.187 - 0.079 - 0.368 + 1) / 2
        assert scene.albedo(torch.zeros(1, 3))[0].tolist() == pytest.approx([0.332, 0.23675, 0.1105])
        scene.latent_grid.mul_(-10)
        assert scene.albedo(torch.zeros(1, 3)).tolist() == [[1, 1, 1]]


class TestRendering:
    @pytest.mark.parametrize("distance", [3.0, 1.5, 0.4])
    @pytest.mark.parametrize("chunk", [64, 1 << 15])
    def test_values_are_those_of_numpy(self, monkeypatch, distance, chunk):
        monkeypatch.setattr(marching, "samples_at_once", lambda _: chunk)
        scene, (origins, directions) = latent_scene(), camera(8, distance)
        with torch.no_grad():
            rendering = scene.render_rays(origins, directions, 20)
        latents, opacity, depth, emptiness = by_numpy(scene, origins.double().numpy(), directions.double().numpy(), 20)
        assert np.allclose(rendering.rgb, latents, atol=1e-4)
        assert np.allclose(rendering.opacity, opacity, atol=1e-5)
        assert np.allclose(rendering.depth, depth, atol=1e-4)
        assert rendering.emptiness.item() == pytest.approx(emptiness, rel=1e-5)

    def test_gradients_are_slopes(self):
        scene, (origins, directions) = latent_scene(), (x.double() for x in camera(3, 1.5))
        draw = torch.Generator().manual_seed(1)
        grids = [torch.randn(c, 4, 4, 4, dtype=torch.float64, generator=draw) for c in (1, 4)]
        tensors = [*grids, torch.tensor(0.3, dtype=torch.float64), scene.background.detach().double()]
        settings = SETTINGS.model_copy(update={"resolution": 4})

        def outputs(density, latents, scale, background):
            parts = {"density_grid": density, "latent_grid": latents, "density_scale": scale, "background": background}
            made = replace(scene, **parts, settings=settings)
            rendering = made.render_rays(origins, directions, 12, torch.Generator().manual_seed(2))
            return rendering.rgb, rendering.opacity, rendering.emptiness

        assert torch.autograd.gradcheck(outputs, [t.requires_grad_() for t in tensors])

    def test_rays_that_all_miss(self):
        scene = latent_scene()
        directions = torch.tensor([[1.0, 0, 0]])
        rendering = scene.render_rays(torch.tensor([[3.0, 0, 0]]), directions, 20)
        assert (rendering.opacity.item(), rendering.emptiness.item()) == (0, 0)
        assert torch.equal(rendering.rgb, scene.background_at(directions))


class TestEmptiness:
    def test_by_hand(self):
        # two steps of length 1 through the cube: weights 1 - e^-0.8 and e^-0.8 (1 - e^-0.8)
        ray = torch.tensor([[3.0, 0, 0]]), torch.tensor([[-1.0, 0, 0]])
        rendering = uniform(0.8).render_rays(*ray, samples=2)
        first = 1 - math.exp(-0.8)
        expected = (math.log(1 + 10 * first) + math.log(1 + 10 * math.exp(-0.8) * first)) / 2
        assert rendering.emptiness.item() == pytest.approx(expected, rel=1e-5)

    def test_the_weighted_sum(self):
        rendering = latent_scene().render_rays(*camera(4), 20)
        weights = Regularizers(sparsity=2.0, opaque=3.0, emptiness=(5000, 1e4, 2e5, 5001))
        rest = 2 * sparsity(rendering.opacity) + 3 * opaque(rendering.opacity)
        for step, weight in ((5000, 1e4), (5001, 2e5)):
            found = latent_scene().regularization(weights, step, rendering, 1)
            assert found.item() == pytest.approx((rest + weight * rendering.emptiness).item())


def test_a_saved_scene_comes_back(tmp_path):
    ours = latent_scene()
    save(tmp_path / "scene.safetensors", ours)
    found = load(tmp_path / "scene.safetensors")
    assert found.settings == SETTINGS
    assert {name: tensor.shape for name, tensor in found.tensors().items()} == {
        name: tensor.shape for name, tensor in ours.tensors().items()
    }
    rays = camera(4)
    assert torch.allclose(found.render_rays(*rays, 20).rgb, ours.render_rays(*rays, 20).rgb, atol=0.02)


def by_numpy(scene, origins, directions, samples):
    """Latents, opacity, depth and emptiness of rays, written from the public codes' mathematics."""
    tensors = {name: t.detach().double().numpy() for name, t in scene.tensors().items()}
    s, step, latents, opacity, depth, logs = scene.settings, 2 * scene.bound / samples, [], [], [], []
    for o, d in zip(origins, directions, strict=True):
        faces = np.sort([(-s.bound - o) / d, (s.bound - o) / d], axis=0)
        near, far = max(faces[0].max(), 0), faces[1].min()
        t = np.arange(near + step / 2, far, step)
        cells = (o + t[:, None] * d + s.bound) / (2 * s.bound) * s.resolution - 0.5
        density, *found = (
            map_coordinates(grid, cells.T[::-1], order=1, mode="nearest")
            for grid in (*tensors["density"], *tensors["latents"])
        )
        tau = step * np.logaddexp(0, density * np.exp(tensors["density_scale"]) + s.density_bias)
        weights = np.exp(-np.cumsum(tau) + tau) * (1 - np.exp(-tau))
        angle, azimuth = np.arctan2(np.hypot(d[0], d[1]), d[2]) / np.pi, np.arctan2(d[1], d[0]) / (2 * np.pi) + 0.5
        pixel = np.array([[azimuth], [angle]]) * s.background_resolution - 0.5
        # scipy's "reflect" is grid_sample's "reflection" without aligned corners
        behind = [map_coordinates(texture, pixel, order=1, mode="reflect")[0] for texture in tensors["background"]]
        latents.append([(weights * f).sum() + (1 - weights.sum()) * b for f, b in zip(found, behind, strict=True)])
        opacity.append(weights.sum())
        depth.append((weights * t).sum() / max(weights.sum(), 1e-6))
        logs.append(np.log(1 + 10 * weights))
    return np.array(latents), np.array(opacity), np.array(depth), np.concatenate(logs).mean()
