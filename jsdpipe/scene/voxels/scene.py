"""Scenes of dense voxels: density and albedo grids with a background of one color."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, softplus

from jsdpipe.scene.cameras import Viewpoints
from jsdpipe.scene.regularizers import total_variation
from jsdpipe.scene.rendering import Rendering
from jsdpipe.scene.scene import Scene, SceneBatch
from jsdpipe.scene.voxels.rendering import render
from jsdpipe.scene.voxels.settings import VoxelField


@dataclass(frozen=True)
class VoxelScene(Scene):
    """Grids over the cube [-bound, bound]^3, axes z, y, x, of which the ball within counts, and a background.

    density = density_scale * softplus(d + blob_scale * (1 - |x| / blob_radius)) and albedo = sigmoid(c), where d and c
    are trilinear in `density_grid` (1, R, R, R) and `albedo_grid` (3, R, R, R). The background's color is
    sigmoid(`background`), `background` (3,).
    """

    density_grid: Tensor
    albedo_grid: Tensor
    background: Tensor
    settings: VoxelField

    @property
    def bound(self) -> float:
        return self.settings.bound

    @property
    def device(self) -> torch.device:
        return self.density_grid.device

    def tensors(self) -> dict[str, Tensor]:
        return {"density": self.density_grid, "albedo": self.albedo_grid, "background": self.background}

    def render_training(
        self,
        viewpoints: Viewpoints,
        size: int,
        step: int,
        samples: int,
        generators: Mapping[str, torch.Generator],
        *,
        normals: bool,
    ) -> Rendering:
        return render(self, *viewpoints.rays(size, self.device), samples, generators["jitter"])

    @torch.no_grad()
    def render(self, viewpoints: Viewpoints, size: int, samples: int) -> Rendering:
        return render(self, *viewpoints.rays(size, self.device), samples)

    def density_inside(self, points: Tensor) -> Tensor:
        s = self.settings
        blob = s.blob_scale * (1 - points.norm(dim=-1) / s.blob_radius)
        return s.density_scale * softplus(self._interpolate(self.density_grid, points)[0] + blob)

    def albedo(self, points: Tensor) -> Tensor:
        return torch.sigmoid(self._interpolate(self.albedo_grid, points)).T

    def regularizers(self, rendering: Rendering, views: int) -> dict[str, Callable[[], Tensor]]:
        return super().regularizers(rendering, views) | {
            "total_variation": lambda: total_variation(self.density_grid, self.albedo_grid)
        }

    def _interpolate(self, grid: Tensor, points: Tensor) -> Tensor:
        """Values (C, N) of a grid (C, R, R, R) at points (N, 3)."""
        at = (points / self.settings.bound)[None, :, None, None]
        return grid_sample(grid[None], at, align_corners=True, padding_mode="border")[0, :, :, 0, 0]


class VoxelBatch(SceneBatch):
    """`density` (A, 1, R, R, R), `albedo` (A, 3, R, R, R) and `background` (A, 3) of A scenes, all 0 at first."""

    def __init__(self, settings: VoxelField, count: int) -> None:
        super().__init__()
        r = settings.resolution
        self.settings = settings
        self.density = nn.Parameter(torch.zeros(count, 1, r, r, r))
        self.albedo = nn.Parameter(torch.zeros(count, 3, r, r, r))
        self.background = nn.Parameter(torch.zeros(count, 3))

    def scenes(self) -> list[VoxelScene]:
        each = zip(self.density.unbind(), self.albedo.unbind(), self.background.unbind(), strict=True)
        return [VoxelScene(*tensors, self.settings) for tensors in each]

    def parameter_groups(self) -> list[dict[str, Any]]:
        s = self.settings
        return [
            {"params": [self.density], "lr": s.density_lr},
            {"params": [self.albedo], "lr": s.albedo_lr},
            {"params": [self.background], "lr": s.background_lr},
        ]


def build(settings: VoxelField, generators: Sequence[torch.Generator]) -> VoxelBatch:
    """The initial parameters of a batch, one scene a generator; voxels draw nothing."""
    return VoxelBatch(settings, len(generators))


def restore(settings: VoxelField, tensors: Mapping[str, Tensor]) -> VoxelScene:
    """A scene from its settings and `VoxelScene.tensors()`."""
    return VoxelScene(tensors["density"], tensors["albedo"], tensors["background"], settings)
