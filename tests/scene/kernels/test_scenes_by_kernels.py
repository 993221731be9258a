import torch
from hash_fields import camera, hash_field
from kernel_device import DEVICE

from jsdpipe.scene import ray_samples
from jsdpipe.scene.hash_grid import encoding, occupancy
from jsdpipe.scene.hash_grid.rendering import render
from jsdpipe.scene.regularizers import orientation


def rendered(device):
    """Color, opacity and normals of a view, and the gradients of a loss of them by the scene's parameters."""
    field = hash_field().to(device)
    field.occupancy.occupied[:, :2] = False
    origins, directions = (x.to(device) for x in camera(3))
    found = render(field, origins, directions, 12, normals=True)
    loss = found.rgb.square().sum() + orientation(
        found.weights, found.normals, found.directions[found.samples.ray], found.opacity
    )
    gradients = torch.autograd.grad(loss, [field.encoding.table, *field.density_network.parameters()])
    return [x.detach().cpu() for x in (found.rgb, found.opacity, found.depth, found.normals, *gradients)]


def test_a_scene_and_its_gradients_are_those_of_pytorch(monkeypatch):
    expected = rendered("cpu")
    for module in (encoding, occupancy, ray_samples):
        monkeypatch.setattr(module, "has_triton", lambda device_type: True)
    for x, y in zip(rendered(DEVICE), expected, strict=True):
        assert torch.allclose(x, y, rtol=1e-4, atol=1e-5 * float(y.abs().max()))
