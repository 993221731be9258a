"""Scenes of dense voxels of Stable Diffusion's latents, as SJC's public codes have them (arXiv 2212.00774).

What is rendered are the latents themselves, at their own size. The mathematics are those of threestudio's `sjc`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, softplus

from jsdpipe.base.device import is_accelerator
from jsdpipe.scene.cameras import Viewpoints
from jsdpipe.scene.latent_voxels.settings import LatentVoxelField
from jsdpipe.scene.marching import Volume, gather, march, normalized
from jsdpipe.scene.rendering import Rendering, intersect_cube
from jsdpipe.scene.scene import Scene, SceneBatch

CHANNELS = LatentVoxelField.latent_channels
# RGB in [-1, 1] of Stable Diffusion's scaled latents, a row for each channel: a linear fit of its decoder (K. Turner,
# https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204)
TO_RGB = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)


@dataclass(frozen=True)
class LatentRendering(Rendering):
    """A rendering whose colors are latents (N, 4), with the emptiness () of its samples."""

    emptiness: Tensor


@dataclass(frozen=True)
class LatentVoxelScene(Scene):
    """Grids over the cube [-bound, bound]^3, axes z, y, x, and a background.

    density = softplus(exp(`density_scale`) * d + density_bias), where d and the latents are trilinear in `density_grid`
    (1, R, R, R) and `latent_grid` (4, R, R, R). `density_scale` is (). The outer voxels lie half a voxel inside the
    cube; in that rim their values hold, where the public code's fall to half. The background's latent is bilinear in
    `background` (4, S, S), a map of the directions: columns are the angle from +z, rows the azimuth.
    """

    density_grid: Tensor
    latent_grid: Tensor
    density_scale: Tensor
    background: Tensor
    settings: LatentVoxelField

    @property
    def bound(self) -> float:
        return self.settings.bound

    @property
    def device(self) -> torch.device:
        return self.density_grid.device

    def tensors(self) -> dict[str, Tensor]:
        return {
            "density": self.density_grid,
            "latents": self.latent_grid,
            "density_scale": self.density_scale,
            "background": self.background,
        }

    def render_training(
        self,
        viewpoints: Viewpoints,
        size: int,
        step: int,
        samples: int,
        generators: Mapping[str, torch.Generator],
        *,
        normals: bool,
    ) -> LatentRendering:
        return self.render_rays(*viewpoints.rays(size, self.device), samples, generators["jitter"])

    @torch.no_grad()
    def render(self, viewpoints: Viewpoints, size: int, samples: int) -> LatentRendering:
        return self.render_rays(*viewpoints.rays(size, self.device), samples)

    def render_rays(
        self, origins: Tensor, directions: Tensor, samples: int, generator: torch.Generator | None = None
    ) -> LatentRendering:
        """Render rays (N, 3) with unit directions through the cube; samples as `march` places them."""
        rays, ends = (origins, directions), intersect_cube(origins, directions, self.bound)
        found = march(self._scaled_density(), self.latent_grid, self._volume(), rays, ends, samples, generator)
        latents = found.color + found.transmitted[:, None] * self.background_at(directions)
        return LatentRendering(latents, 1 - found.transmitted, found.depth, found.emptiness)

    def background_at(self, directions: Tensor) -> Tensor:
        """The background's latents (N, 4) in directions (N, 3)."""
        x, y, z = directions.unbind(dim=-1)
        at = torch.stack((torch.atan2(x.hypot(y), z) * (2 / math.pi) - 1, torch.atan2(y, x) / math.pi), dim=-1)
        # as the public code, whose map is mirrored at the azimuth's ends
        found = grid_sample(self.background[None], at[None, None], padding_mode="reflection", align_corners=False)
        return found[0, :, 0].T

    def inside(self, points: Tensor) -> Tensor:
        return (points.abs() <= self.bound).all(dim=-1)

    def density_inside(self, points: Tensor) -> Tensor:
        return softplus(self._at(self._scaled_density(), points)[:, 0] + self.settings.density_bias)

    def albedo(self, points: Tensor) -> Tensor:
        """Approximate colors (N, 3) in [0, 1] of the latents at points (N, 3), by `TO_RGB`."""
        latents = self._at(self.latent_grid, points)
        return ((latents @ latents.new_tensor(TO_RGB) + 1) / 2).clamp(0, 1)

    def regularizers(self, rendering: Rendering, views: int) -> dict[str, Callable[[], Tensor]]:
        return super().regularizers(rendering, views) | {
            "emptiness": lambda: cast(LatentRendering, rendering).emptiness
        }

    def _scaled_density(self) -> Tensor:
        return self.density_grid * self.density_scale.exp()

    def _volume(self) -> Volume:
        bias = self.settings.density_bias
        longest = 2 * math.sqrt(3) * self.bound
        return Volume(self.bound, longest, 0.5, 1.0, lambda _: bias, sigmoid=False, min_weight=0.0, emptiness=True)

    def _at(self, grid: Tensor, points: Tensor) -> Tensor:
        """Values (N, C) of a grid at points (N, 3)."""
        r = self.settings.resolution
        x = self._volume().to_voxels(points.T, r)
        return gather(grid, normalized(x, r) if is_accelerator(x.device) else x).T


class LatentVoxelBatch(SceneBatch):
    """`density` (A, 1, R, R, R), `latents` (A, 4, R, R, R), `density_scale` (A,) and `background` (A, 4, S, S).

    All are 0 at first but for the backgrounds of the A scenes, which are drawn from a normal distribution.
    """

    def __init__(self, settings: LatentVoxelField, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        count, r, s = len(generators), settings.resolution, settings.background_resolution
        self.settings = settings
        self.density = nn.Parameter(torch.zeros(count, 1, r, r, r))
        self.latents = nn.Parameter(torch.zeros(count, CHANNELS, r, r, r))
        self.density_scale = nn.Parameter(torch.zeros(count))
        self.background = nn.Parameter(torch.stack([torch.randn(CHANNELS, s, s, generator=g) for g in generators]))

    def scenes(self) -> list[LatentVoxelScene]:
        parameters = self.density, self.latents, self.density_scale, self.background
        each = zip(*(parameter.unbind() for parameter in parameters), strict=True)
        return [
            LatentVoxelScene(density, latents, scale, back, self.settings) for density, latents, scale, back in each
        ]

    def parameter_groups(self) -> list[dict[str, Any]]:
        *grids, background = self.parameters()
        return [
            {"params": grids, "lr": self.settings.grid_lr},
            {"params": [background], "lr": self.settings.background_lr},
        ]


def build(settings: LatentVoxelField, generators: Sequence[torch.Generator]) -> LatentVoxelBatch:
    """The initial parameters of a batch, one scene a generator."""
    return LatentVoxelBatch(settings, generators)


def restore(settings: LatentVoxelField, tensors: Mapping[str, Tensor]) -> LatentVoxelScene:
    """A frozen scene from its settings and `LatentVoxelScene.tensors()`."""
    return LatentVoxelScene(
        tensors["density"], tensors["latents"], tensors["density_scale"], tensors["background"], settings
    )
