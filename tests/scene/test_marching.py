import pytest
import torch
from pretend_device import NAME, pretended
from torch.nn.functional import grid_sample

from jsdpipe.scene.marching import gather, normalized, scatter


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

    def test_grids_of_more_voxels_than_single_precision_counts(self):
        r = 260
        found = torch.zeros(1, r, r, r)
        scatter(found, torch.ones(1, 1), torch.tensor([[257.0], [258.0], [258.0]]))
        assert found.nonzero().tolist() == [[0, 258, 258, 257]]

    @pytest.mark.parametrize("channels", [1, 3])
    def test_accelerators_have_the_same_values(self, channels):
        r = 9
        lattice, x, values = torch.randn(channels, r, r, r), self.points(200, r), torch.randn(channels, 204)
        expected = torch.zeros(channels, r, r, r)
        scatter(expected, values, x)
        with pretended():
            at = normalized(x.to(NAME), r)
            assert torch.allclose(gather(lattice.to(NAME), at).cpu(), gather(lattice, x), atol=1e-4)
            found = torch.zeros(channels, r, r, r, device=NAME)
            scatter(found, values.to(NAME), at)
            assert torch.allclose(found.cpu(), expected, atol=1e-4)
