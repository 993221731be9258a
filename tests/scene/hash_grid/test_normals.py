import pytest
import torch
from torch.nn.functional import normalize

from jsdpipe.scene.hash_grid.field import analytic_normals, finite_difference_normals


def ellipsoid(points):
    """Falls outwards; its gradient is -2 (x, 2 y, 3 z)."""
    return 1 - (points.square() * torch.tensor([1.0, 2.0, 3.0], dtype=points.dtype)).sum(dim=-1)


def points(count=20):
    return torch.randn(count, 3, dtype=torch.double, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["analytic", "differences"])
def test_an_ellipsoids_normals_point_outwards(kind):
    x = points().requires_grad_()
    found = analytic_normals(ellipsoid(x), x) if kind == "analytic" else finite_difference_normals(ellipsoid, x, 1e-2)
    expected = normalize(x.detach() * torch.tensor([1.0, 2.0, 3.0], dtype=torch.double), dim=-1)
    assert torch.allclose(found, expected, atol=1e-9)


def test_they_are_those_of_the_density_that_is_its_softplus():
    x = points().requires_grad_()
    (gradient,) = torch.autograd.grad(torch.nn.functional.softplus(ellipsoid(x)).sum(), x)
    assert torch.allclose(analytic_normals(ellipsoid(x), x), -normalize(gradient, dim=-1))


def test_they_can_be_trained():
    def normals(x, slope):
        return analytic_normals(ellipsoid(x) + slope * x[:, 0], x)

    slope = torch.tensor(0.3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(normals, (points(4).requires_grad_(), slope))


def test_where_nothing_changes_they_are_0():
    x = points().requires_grad_()
    assert analytic_normals(0 * x.sum(dim=-1), x).abs().max() == 0
    assert finite_difference_normals(lambda p: torch.ones(len(p)), x, 0.1).abs().max() == 0
