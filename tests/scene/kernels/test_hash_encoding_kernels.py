import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_device import DEVICE

from jsdpipe.scene.hash_grid.encoding import encode as plain
from jsdpipe.scene.hash_grid.encoding import levels_of
from jsdpipe.scene.hash_grid.settings import HashGrid
from jsdpipe.scene.kernels.hash_encoding import BLOCK, encode, table_gradient

# 3^3 = 27 points in 32 entries; 6^3 and 12^3 hashed into 128
LEVELS = tuple(levels_of(HashGrid(levels=3, features=2, log2_table=7, base_resolution=3, growth=2.0)))
ENTRIES = sum(level.entries for level in LEVELS)
COUNT = BLOCK + 22  # more than a block, and no multiple of it


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def somewhere(count, dtype=torch.float):
    """Points in the unit cube, two of them its first and last corner."""
    points = torch.rand(count, 3, dtype=dtype, generator=drawn(1))
    points[0], points[1] = 0, 1
    return points


def derivatives(encode, points, table, levels, device):
    """Features, their gradients, and the gradients of those, by points, table and gradients."""
    points, table = points.to(device).requires_grad_(), table.to(device).requires_grad_()
    features = encode(points, table, levels)
    given = torch.randn(features.shape, dtype=points.dtype, generator=drawn(2)).to(device).requires_grad_()
    first = torch.autograd.grad(features, (points, table), given, create_graph=True)
    found = [features, *first]
    for gradient in first:
        along = torch.randn(gradient.shape, dtype=points.dtype, generator=drawn(3)).to(device)
        second = torch.autograd.grad(gradient, (points, table, given), along, retain_graph=True, allow_unused=True)
        found += [x for x in second if x is not None]  # the table's gradient does not depend on the table
    return [x.detach().cpu() for x in found]


@pytest.mark.parametrize(
    ("width", "levels", "dtype", "tolerance"), [(2, LEVELS, torch.float, 2e-6), (3, LEVELS[:2], torch.double, 1e-14)]
)
def test_features_and_all_derivatives_are_those_of_pytorch(width, levels, dtype, tolerance):
    table = torch.randn(ENTRIES, width, dtype=dtype, generator=drawn())
    ours = derivatives(encode, somewhere(COUNT, dtype), table, levels, DEVICE)
    expected = derivatives(plain, somewhere(COUNT, dtype), table, levels, "cpu")
    assert len(ours) == len(expected) == 8
    for x, y in zip(ours, expected, strict=True):
        assert x.shape == y.shape
        assert torch.allclose(x, y, rtol=0, atol=tolerance * float(y.abs().max()))


@settings(max_examples=10)
@given(
    st.builds(
        HashGrid, levels=st.integers(1, 3), features=st.integers(1, 2), log2_table=st.integers(3, 9),
        base_resolution=st.integers(2, 1024), growth=st.floats(1, 16),
    ),
    st.integers(0, 99),
)  # fmt: skip
def test_any_points_find_their_entries(grid, seed):
    levels = levels_of(grid)
    table = torch.randn(sum(level.entries for level in levels), grid.features, generator=drawn(seed))
    points = torch.rand(9, 3, generator=drawn(seed + 1))
    ours = encode(points.to(DEVICE), table.to(DEVICE), levels).cpu()
    assert torch.allclose(ours, plain(points, table, levels), atol=1e-5)


def test_no_points():
    table = torch.randn(ENTRIES, 2, generator=drawn()).to(DEVICE).requires_grad_()
    features = encode(torch.empty(0, 3, device=DEVICE), table, LEVELS)
    assert features.shape == (0, 6)
    features.sum().backward()
    assert table.grad.abs().max() == 0


class TestTheTablesGradient:
    """It is a sum in any order."""

    def gradients(self):
        return torch.randn(COUNT, 6, generator=drawn(2)).to(DEVICE)

    @pytest.mark.parametrize("directions", [False, True])
    def test_it_is_the_same_in_any_order_to_the_bit(self, directions):
        points, given = somewhere(COUNT).to(DEVICE), self.gradients()
        along = torch.randn(COUNT, 3, generator=drawn(3)).to(DEVICE) if directions else None
        order = torch.randperm(COUNT, generator=drawn(4)).to(DEVICE)
        found = table_gradient(points, given, ENTRIES, LEVELS, along)
        again = table_gradient(points[order], given[order], ENTRIES, LEVELS, along[order] if directions else None)
        assert found.abs().max() > 0
        assert torch.equal(found, again)

    def test_a_large_contribution_leaves_the_small_ones_exact(self):
        points, given = somewhere(COUNT), torch.randn(COUNT, 6, generator=drawn(2))
        given[0] = 1e9  # in the cube's first corner
        points[1:] = 0.5 + points[1:] / 2
        found = table_gradient(points.to(DEVICE), given.to(DEVICE), ENTRIES, LEVELS).cpu()
        given[0] = 0
        alone = table_gradient(points.to(DEVICE), given.to(DEVICE), ENTRIES, LEVELS).cpu()
        small = found.abs() < 1e3
        assert small.sum() > 400
        assert torch.allclose(found[small], alone[small], atol=1e-7)

    @pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
    def test_a_gradient_that_is_not_finite_is_seen(self, wrong):
        given = self.gradients()
        given[7, 3] = wrong  # the second level's second feature
        found = table_gradient(somewhere(COUNT).to(DEVICE), given, ENTRIES, LEVELS).cpu()
        assert found[32:160, 1].isnan().all()
        assert found.isnan().sum() == 128
