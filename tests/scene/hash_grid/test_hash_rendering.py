import math

import pytest
import torch
from hash_fields import camera, hash_field, viewpoint

from jsdpipe.config.recipes import load_recipe
from jsdpipe.scene.hash_grid.rendering import render
from jsdpipe.scene.hash_grid.shading import Shading, shade
from jsdpipe.scene.rendering import intersect_ball
from jsdpipe.scene.voxels.rendering import render as render_voxels
from jsdpipe.scene.voxels.scene import VoxelBatch


def plainly(field, origins, directions, samples, mode="albedo", light=None):
    """The same rendering of all samples, by dense PyTorch operations."""
    bound = field.settings.bound
    near, far = intersect_ball(origins, directions, bound)
    step = 3**0.5 * 2 * bound / samples  # of the cube's diagonal
    t = near[:, None] + step * (torch.arange(samples) + 0.5)
    points = (origins[:, None] + t[..., None] * directions[:, None]).reshape(-1, 3)
    density, color, normals = field.surface(points, normals=True)
    color = shade(field.settings.material, mode, color, normals, points, light)
    passing = torch.exp(-step * density.view_as(t) * (t < far[:, None]))
    clear = torch.cumprod(torch.cat((torch.ones(len(t), 1), passing), dim=1), dim=1)
    weights = clear[:, :-1] - clear[:, 1:]
    rgb = (weights[..., None] * color.view(*t.shape, 3)).sum(dim=1) + clear[:, -1:] * field.background(directions)
    return rgb, 1 - clear[:, -1], (weights * t).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-6)


@pytest.mark.parametrize("distance", [2.6, 0.4])
def test_values_are_those_of_all_samples(distance):
    field, (origins, directions) = hash_field(), camera(distance=distance)
    found = render(field, origins, directions, 24)
    expected = plainly(field, origins, directions, 24)
    for name, value in zip(("rgb", "opacity", "depth"), expected, strict=True):
        assert torch.allclose(getattr(found, name), value, atol=2e-4), name


@pytest.mark.parametrize("shading", ["diffuse", "textureless", "normals"])
def test_lit_values_and_gradients_are_those_of_all_samples(shading):
    field, (origins, directions) = hash_field(), camera()
    light = torch.tensor([[1.0, 0.4, 0.9]])
    found = render(field, origins, directions, 16, shading=Shading(shading, light)).rgb
    expected, *_ = plainly(field, origins, directions, 16, shading, light)
    assert torch.allclose(found, expected, atol=2e-4)
    on_rgb = torch.randn(found.shape, generator=torch.Generator().manual_seed(0))
    for parameter in (field.encoding.table, field.density_network[0].weight):
        one, two = (torch.autograd.grad(x, parameter, on_rgb, retain_graph=True)[0] for x in (found, expected))
        assert torch.allclose(one, two, atol=1e-3 * float(two.abs().max()))


def test_the_blob_looks_as_in_voxels():
    voxels = load_recipe("miniature/jsd").field.model_copy(
        update={"resolution": 8, "bound": 1.2, "density_scale": 1.0, "blob_scale": 5.0, "blob_radius": 0.5}
    )
    (volume,), (origins, directions) = VoxelBatch(voxels, 1).scenes(), camera()
    for name in ("rgb", "opacity", "depth"):
        one, two = (
            getattr(x, name).detach()
            for x in (
                render_voxels(volume, origins, directions, 56),
                render(hash_field(spread=0.0), origins, directions, 97),  # 56 sqrt(3): of the cube's diagonal
            )
        )
        # samples behind what keeps all but 1e-4 of the light are left out here
        assert torch.allclose(one, two, atol=5e-4), name


def test_what_is_skipped_does_not_show():
    field, (origins, directions) = hash_field(blob_scale=10.0), camera(size=8)
    whole = render(field, origins, directions, 64)
    field.update_occupancy(64, torch.Generator().manual_seed(0))
    assert not field.occupancy.occupied.all()
    skipping = render(field, origins, directions, 64)
    assert len(skipping.samples.t) < len(whole.samples.t) / 2
    assert torch.allclose(whole.rgb, skipping.rgb, atol=0.05)


def test_the_grid_is_updated_now_and_then():
    field, draw, updated = hash_field(), torch.Generator().manual_seed(0), []
    for step in range(33):
        before = draw.get_state()
        field.update_occupancy(64, draw)
        if not torch.equal(before, draw.get_state()):
            updated.append(step)
    assert updated == [0, 16, 32]


def test_the_grid_holds_optical_depths_of_a_step_of_the_cubes_diagonal():
    field = hash_field(spread=0.0, blob_scale=0.0)  # density softplus(0) = log 2 in the ball
    field.update_occupancy(64, torch.Generator().manual_seed(0))
    assert field.occupancy.optical_depth.max().item() == pytest.approx(math.sqrt(3) * 2.4 / 64 * math.log(2))


def test_random_colors_take_the_backgrounds_place():
    origins, directions = (torch.cat((x, x)) for x in camera())
    colors = torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    one = render(hash_field(), origins, directions, 16)
    two = render(hash_field(), origins, directions, 16, colors=colors)
    behind = colors.repeat_interleave(36, dim=0)
    assert torch.allclose(two.rgb - one.rgb, (1 - one.opacity[:, None]) * (behind - 0.5), atol=1e-6)


@pytest.mark.parametrize("shading", ["textureless", "normals"])
def test_what_a_step_does_not_show_has_gradients_of_zero(shading):
    # not none: Adam goes on by its momentum
    field, light = hash_field(), torch.tensor([[1.0, 0.4, 0.9]])
    render(field, *camera(), 16, shading=Shading(shading, light), colors=torch.ones(1, 3)).rgb.sum().backward()
    for hidden in (field.albedo_network, field.background):
        assert all(p.grad.abs().max() == 0 for p in hidden.parameters())
    assert all(p.grad.abs().max() > 0 for p in field.density_network.parameters())


def test_a_random_start_is_its_generators():
    origins, directions = camera()
    first, again, other = (
        render(hash_field(), origins, directions, 16, torch.Generator().manual_seed(s)).rgb for s in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_rays_that_all_miss():
    field = hash_field()
    rendering = render(field, torch.tensor([[3.0, 0, 0]]), torch.tensor([[1.0, 0, 0]]), 20, normals=True)
    assert rendering.opacity.tolist() == [0]
    assert rendering.rgb.tolist() == [[0.5] * 3]
    rendering.rgb.sum().backward()
    assert field.background.color.grad.abs().min() > 0


def test_evaluation_works_through_rays_in_chunks():
    field = hash_field()
    rendering = field.render(viewpoint(), 40, 64)
    assert not rendering.rgb.requires_grad
    expected = render(field, *camera(size=40), 64)
    for name in ("rgb", "opacity", "depth"):
        assert torch.allclose(getattr(rendering, name), getattr(expected, name), atol=1e-5)
