import pytest
import torch
from hash_fields import hash_field

from jsdpipe.scene.hash_grid import field as hash_grid_field
from jsdpipe.scene.hash_grid.field import in_chunks


def powers(points, scale):
    return scale[0] * points.sum(dim=-1), scale[1] ** 2 * points


@pytest.mark.parametrize("size", [1, 3, 7, 8])
def test_chunks_make_no_difference(size):
    points = torch.randn(7, 3, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    scale = torch.tensor([2.0, 3.0, 5.0], dtype=torch.double, requires_grad=True)
    one, two = in_chunks(lambda p: powers(p, scale), points, [scale], size)
    assert torch.equal(one, 2 * points.sum(dim=-1))
    assert torch.equal(two, 9 * points)
    (3 * one.sum() + two.sum()).backward()
    # d/da of 3 a S and d/db of b^2 S
    total = points.sum().item()
    assert scale.grad.tolist() == pytest.approx([3 * total, 6 * total, 0])


def test_never_more_than_a_chunk_at_once():
    seen = []
    scale = torch.ones(2, requires_grad=True)

    def evaluate(points):
        seen.append(len(points))
        return powers(points, scale)

    one, two = in_chunks(evaluate, torch.randn(10, 3), [scale], 4)
    assert seen == [4, 4, 2]
    (one.sum() + two.sum()).backward()
    assert seen == [4, 4, 2] * 2


def test_a_fields_gradients_with_normals(monkeypatch):
    field = hash_field()
    points = (torch.rand(50, 3, generator=torch.Generator().manual_seed(5)) - 0.5) * 1.2
    found = []
    for size in (50, 16):
        monkeypatch.setattr(hash_grid_field, "graph_samples_at_once", lambda _, size=size: size)
        density, albedo, normals = field.surface(points, normals=True)
        loss = density.square().sum() + albedo.square().sum() + (normals * points).sum()
        found.append([normals, *torch.autograd.grad(loss, [field.encoding.table, *field.density_network.parameters()])])
    for whole, parts in zip(*found, strict=True):
        assert torch.allclose(whole, parts, atol=1e-4 * float(whole.detach().abs().max()))
