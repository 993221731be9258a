import json
import math

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn.functional import grid_sample

from jsdpipe.base.cameras import look_at_origin, orbit, rays
from jsdpipe.base.errors import UserError
from jsdpipe.config.recipes import load_recipe
from jsdpipe.scene.files import load, save
from jsdpipe.scene.regularization import regularise
from jsdpipe.scene.regularizers import opaque, sparsity, total_variation
from jsdpipe.scene.settings import Regularisers
from jsdpipe.scene.voxels.rendering import CHUNK, SEEN, Rendering, ball, render
from jsdpipe.scene.voxels.trilinear import gather, scatter
from jsdpipe.scene.voxels.volume import Voxels

SETTINGS = load_recipe("jsd-miniature").field.model_copy(
    update={"resolution": 9, "bound": 1.2, "density_scale": 5.0, "blob_scale": 2.0, "blob_radius": 0.5}
)


def volume(seed=0, spread=2.0, **settings):
    voxels = Voxels(1, SETTINGS.model_copy(update=settings))
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in voxels.parameters():
            parameter.normal_(0, spread, generator=draw)
    return voxels.volumes()[0]


def uniform(density, background=(0.0, 0.0, 0.0)):
    """A grey ball of one density: softplus(p) * scale = density, without a blob."""
    voxels = Voxels(1, SETTINGS.model_copy(update={"blob_scale": 0.0})).requires_grad_(False)
    voxels.density.fill_(math.log(math.expm1(density / SETTINGS.density_scale)))
    voxels.background.copy_(torch.tensor([background]))
    return voxels.volumes()[0]


def camera(size=12, distance=2.6):
    position = orbit(torch.tensor([0.7]), torch.tensor([0.3]), torch.tensor([distance]))
    origins, directions = rays(look_at_origin(position), torch.tensor([math.radians(50)]), size)
    return origins.reshape(-1, 3), directions.reshape(-1, 3)


class TestTrilinear:
    def points(self, count, r):
        draw = torch.Generator().manual_seed(1)
        inside = torch.rand(3, count, generator=draw) * (r - 1)
        corners = torch.tensor([[0, r - 1, 0, 3.0], [0, r - 1, r - 1, 5.0], [0, r - 1, 2.5, 1.0]])
        return torch.cat((inside, corners), dim=1)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_gather_is_pytorchs_own_interpolation(self, channels):
        r = 9
        lattice, x = torch.randn(channels, r, r, r), self.points(200, r)
        grid = (x.T * 2 / (r - 1) - 1)[None, :, None, None]
        expected = grid_sample(lattice[None], grid, align_corners=True)[0, :, :, 0, 0]
        assert torch.allclose(gather(lattice, x), expected, atol=1e-4)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_scatter_is_the_gradient_of_pytorchs_own_interpolation(self, channels):
        r = 9
        lattice, x = torch.zeros(channels, r, r, r, requires_grad=True), self.points(200, r)
        values = torch.randn(channels, x.shape[1])
        grid = (x.T * 2 / (r - 1) - 1)[None, :, None, None]
        out = grid_sample(lattice[None], grid, align_corners=True)[0, :, :, 0, 0]
        (expected,) = torch.autograd.grad((out * values).sum(), lattice)
        found = torch.zeros(channels, r, r, r)
        scatter(found, values, x)
        assert torch.allclose(found, expected, atol=1e-5)

    def test_axes_are_z_y_x(self):
        z, y, x = torch.meshgrid(*(torch.arange(5.0),) * 3, indexing="ij")
        lattice = torch.stack((x, y, z))
        points = torch.tensor([[1.25], [2.5], [3.75]])
        assert torch.allclose(gather(lattice, points), points, atol=1e-5)


class TestField:
    def test_density_and_albedo_by_hand(self):
        empty = Voxels(1, SETTINGS).volumes()[0]
        points = torch.tensor([[0.0, 0, 0], [0, 0.25, 0], [0, 0, 1.0], [1.3, 0, 0]])
        raw = np.array([2.0, 1.0, -2.0])  # 2 (1 - |x| / 0.5)
        expected = [*(5 * np.log1p(np.exp(raw))), 0.0]
        assert empty.density_at(points).tolist() == pytest.approx(expected, rel=1e-5)
        assert empty.albedo_at(points).tolist() == [[0.5] * 3] * 4

    def test_lattice_points_are_where_they_should_be(self):
        voxels = Voxels(2, SETTINGS)
        with torch.no_grad():
            voxels.albedo[1, 2, 0, 4, 8] = 3.0  # z lowest, y in the middle, x highest
        place = torch.tensor([[1.2, 0, -1.2]])
        assert voxels.volumes()[1].albedo_at(place)[0].tolist() == pytest.approx([0.5, 0.5, 1 / (1 + math.exp(-3))])
        assert voxels.volumes()[0].albedo_at(place)[0].tolist() == [0.5] * 3


class TestRendering:
    def test_where_rays_meet_the_ball(self):
        origins = torch.tensor([[3.0, 0, 0], [3, 0, 0], [0, 0, 0.5], [3, 0, 0]])
        directions = torch.tensor([[-1.0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
        near, far = ball(origins, directions, 1.0)
        assert near.tolist() == [2, 0, 0, 0]
        assert far.tolist() == [4, 0, 0.5, 0]

    def test_a_uniform_ball_has_the_opacity_of_its_chord(self):
        origins, directions = camera()
        near, far = ball(origins, directions, 1.2)
        rendering = render(uniform(0.8), origins, directions, samples=400)
        expected = 1 - np.exp(-0.8 * (far - near).numpy())
        assert np.allclose(rendering.opacity.numpy(), expected, atol=3e-3)

    def test_half_grey_over_the_background_by_hand(self):
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

    @pytest.mark.parametrize(
        ("distance", "chunk", "jitter"),
        [(2.6, 64, True), (2.6, 1 << 15, False), (0.4, 64, False), (0.4, 1 << 15, True)],
    )
    def test_values_and_gradients_are_those_of_plain_autograd(self, monkeypatch, distance, chunk, jitter):
        monkeypatch.setitem(CHUNK, "cpu", chunk)
        origins, directions = camera(distance=distance)
        on_rgb, on_opacity = torch.randn(144, 3), torch.randn(144)
        results = []
        for draw in (render, plainly):
            ours = volume()
            tensors = [ours.density, ours.albedo, ours.background]
            rendering = draw(ours, origins, directions, 20, torch.Generator().manual_seed(3) if jitter else None)
            rgb, opacity = (rendering.rgb, rendering.opacity) if draw is render else rendering
            loss = (rgb * on_rgb).sum() + (opacity * on_opacity).sum()
            results.append([rgb, opacity, *torch.autograd.grad(loss, tensors)])
        for found, expected in zip(*results, strict=True):
            assert torch.allclose(found, expected, atol=2e-4 * float(expected.detach().abs().max()))

    def test_evaluation_draws_nothing_and_training_draws_from_its_generator(self):
        origins, directions = camera()
        torch.manual_seed(0)
        state = torch.get_rng_state()
        still = [render(volume(), origins, directions, 20).rgb for _ in range(2)]
        moved = [render(volume(), origins, directions, 20, torch.Generator().manual_seed(s)).rgb for s in (1, 1, 2)]
        assert torch.equal(still[0], still[1])
        assert torch.equal(moved[0], moved[1])
        assert not torch.equal(moved[0], moved[2])
        assert torch.equal(torch.get_rng_state(), state)

    def test_rays_that_all_miss(self):
        ours = volume()
        rendering = render(ours, torch.tensor([[3.0, 0, 0]]), torch.tensor([[1.0, 0, 0]]), 20)
        assert rendering.opacity.tolist() == [0]
        assert torch.allclose(rendering.rgb[0], torch.sigmoid(ours.background))


def plainly(ours, origins, directions, samples, generator):
    """The same rendering by dense PyTorch operations and autograd."""
    s = ours.settings
    near, far = ball(origins, directions, s.bound)
    start = torch.full_like(near, 0.5) if generator is None else torch.rand(len(near), generator=generator)
    step = 2 * s.bound / samples
    t = near[:, None] + step * (start[:, None] + torch.arange(samples))
    points = (origins[:, None] + t[..., None] * directions[:, None]).reshape(-1, 3)
    tau = step * ours.density_at(points).view_as(t) * (t < far[:, None])
    alpha = 1 - torch.exp(-tau)
    clear = torch.cumprod(torch.cat((torch.ones(len(t), 1), 1 - alpha), dim=1), dim=1)
    weights = clear[:, :-1] * alpha
    albedo = ours.albedo_at(points).view(*t.shape, 3)
    albedo = torch.where(weights[..., None] > SEEN, albedo, albedo.detach())
    rgb = (weights[..., None] * albedo).sum(dim=1) + clear[:, -1:] * torch.sigmoid(ours.background)
    return rgb, 1 - clear[:, -1]


class TestRegularisers:
    def test_sparsity_by_hand(self):
        # sqrt(0.01) = 0.1, sqrt(0.75 + 0.01) and sqrt(1.01)
        opacity = torch.tensor([0.0, math.sqrt(0.75), 1.0])
        assert sparsity(opacity).item() == pytest.approx((0.1 + math.sqrt(0.76) + math.sqrt(1.01)) / 3)

    def test_opaque_by_hand(self):
        edge = -(0.001 * math.log(0.001) + 0.999 * math.log(0.999))
        assert opaque(torch.tensor([0.5])).item() == pytest.approx(math.log(2))
        assert opaque(torch.tensor([0.0, 1.0])).item() == pytest.approx(edge, rel=1e-3)

    def test_opaque_drives_apart(self):
        opacity = torch.tensor([0.4, 0.6], requires_grad=True)
        opaque(opacity).backward()
        # half of d/dp of the entropy, log((1 - p) / p), whatever the target
        assert opacity.grad.tolist() == pytest.approx([math.log(1.5) / 2, -math.log(1.5) / 2], rel=1e-4)

    def test_total_variation_by_hand(self):
        lattice = torch.zeros(1, 2, 2, 2)
        lattice[0, 0, 0, 1] = 3.0
        # along each axis one of four differences is 3
        assert total_variation(lattice).item() == pytest.approx(3 * 9 / 4)

    def test_total_variations_gradient(self):
        lattice = torch.randn(2, 4, 4, 4, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: 3 * total_variation(x), lattice)

    def test_the_weighted_sum(self):
        ours, opacity = volume(), torch.rand(10)
        rendering = Rendering(torch.rand(10, 3), opacity, torch.rand(10))
        assert regularise(Regularisers(), 0, rendering, ours).item() == 0
        weights = Regularisers(sparsity=2.0, opaque=3.0, total_variation=4.0)
        expected = 2 * sparsity(opacity) + 3 * opaque(opacity)
        expected = expected + 4 * (total_variation(ours.density) + total_variation(ours.albedo))
        assert regularise(weights, 0, rendering, ours).item() == pytest.approx(expected.item())

    def test_a_weight_follows_its_schedule(self):
        rendering = Rendering(torch.rand(10, 3), torch.zeros(10), torch.zeros(10))
        weights = Regularisers(sparsity=(0, 0.15, 0.0, 3000))
        found = [regularise(weights, step, rendering, volume()).item() for step in (0, 1000, 3000, 9999)]
        # sparsity of nothing is 0.1
        assert found == pytest.approx([0.015, 0.01, 0, 0])


class TestFiles:
    def test_a_saved_scene_comes_back(self, tmp_path):
        ours = volume()
        save(tmp_path / "scene.safetensors", ours)
        field = load(tmp_path / "scene.safetensors")
        points = torch.randn(50, 3)
        assert field.bound == 1.2
        assert torch.allclose(field.density(points), ours.density_at(points), rtol=2e-2)
        assert torch.allclose(field.albedo(points), ours.albedo_at(points), atol=2e-3)
        assert not field.density(points).requires_grad
        with safe_open(tmp_path / "scene.safetensors", "pt") as file:
            described = json.loads(file.metadata()["scene"])
        assert described == {"version": "1", "field": ours.settings.model_dump()}
        assert [path.name for path in tmp_path.iterdir()] == ["scene.safetensors"]

    def test_the_same_scene_gives_the_same_bytes(self, tmp_path):
        for i in range(5):
            save(tmp_path / f"{i}.safetensors", volume())
        assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1

    def test_what_is_no_scene_is_refused(self, tmp_path):
        path = tmp_path / "scene.safetensors"
        with pytest.raises(UserError, match=r"scene\.safetensors"):
            load(path)
        path.write_bytes(b"no scene")
        with pytest.raises(UserError, match=r"scene\.safetensors"):
            load(path)
        save(path, volume())
        save_file(load_file(path), path, {"scene": '{"version": "0"}'})
        with pytest.raises(UserError, match="version 0"):
            load(path)

    def test_a_scene_can_be_read_by_whom_other_files_can(self, tmp_path):
        save(tmp_path / "scene.safetensors", volume())
        (tmp_path / "other").touch()
        modes = {path.stat().st_mode for path in tmp_path.iterdir()}
        assert len(modes) == 1
