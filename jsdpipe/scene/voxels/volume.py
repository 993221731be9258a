"""Dense voxel fields of density and albedo, several assets side by side."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, softplus

from jsdpipe.scene.settings import VoxelField


@dataclass(frozen=True)
class Volume:
    """One asset: lattices over the cube [-bound, bound]^3, axes z, y, x, and a background; a field in the ball within.

    density = density_scale * softplus(d + blob_scale * (1 - |x| / blob_radius)), in 1 / world unit, and
    albedo = sigmoid(c), with d and c trilinear in `density` (1, R, R, R) and `albedo` (3, R, R, R); the background's
    colour is sigmoid(`background`) (3,).
    """

    density: Tensor
    albedo: Tensor
    background: Tensor
    settings: VoxelField

    def density_at(self, points: Tensor) -> Tensor:
        """Density (N,) at points (N, 3); 0 outside of the ball."""
        s = self.settings
        radius = points.norm(dim=-1)
        blob = s.blob_scale * (1 - radius / s.blob_radius)
        return s.density_scale * softplus(self._at(self.density, points)[0] + blob) * (radius < s.bound)

    def albedo_at(self, points: Tensor) -> Tensor:
        """Albedo (N, 3) in [0, 1] at points (N, 3)."""
        return torch.sigmoid(self._at(self.albedo, points)).T

    def tensors(self) -> dict[str, Tensor]:
        """The parameters by name, for a file."""
        return {"density": self.density, "albedo": self.albedo, "background": self.background}

    @property
    def device(self) -> torch.device:
        return self.density.device

    def _at(self, lattice: Tensor, points: Tensor) -> Tensor:
        grid = (points / self.settings.bound)[None, :, None, None]
        return grid_sample(lattice[None], grid, align_corners=True, padding_mode="border")[0, :, :, 0, 0]


class Voxels(nn.Module):
    """The parameters of A volumes: `density` (A, 1, R, R, R), `albedo` (A, 3, R, R, R), `background` (A, 3), all 0."""

    def __init__(self, assets: int, settings: VoxelField) -> None:
        super().__init__()
        r = settings.resolution
        self.settings = settings
        self.density = nn.Parameter(torch.zeros(assets, 1, r, r, r))
        self.albedo = nn.Parameter(torch.zeros(assets, 3, r, r, r))
        self.background = nn.Parameter(torch.zeros(assets, 3))

    def volumes(self) -> list[Volume]:
        """The assets one by one; gradients flow back to the parameters."""
        each = zip(self.density.unbind(), self.albedo.unbind(), self.background.unbind(), strict=True)
        return [Volume(*tensors, self.settings) for tensors in each]

    def gradients(self) -> list[list[Tensor]]:
        """Of each asset, the gradients of its parameters, as views."""
        return [[p.grad[asset] for p in self.parameters() if p.grad is not None] for asset in range(len(self.density))]

    def parameter_groups(self) -> list[dict[str, object]]:
        """For an optimiser: each parameter with its learning rate."""
        s = self.settings
        return [
            {"params": [self.density], "lr": s.density_lr},
            {"params": [self.albedo], "lr": s.albedo_lr},
            {"params": [self.background], "lr": s.background_lr},
        ]
