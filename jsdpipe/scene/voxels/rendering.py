"""Volume rendering of voxel scenes."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from jsdpipe.scene.marching import Volume, march
from jsdpipe.scene.rendering import Rendering, intersect_ball
from jsdpipe.scene.voxels.settings import VoxelField

if TYPE_CHECKING:
    from jsdpipe.scene.voxels.scene import VoxelScene

# samples of a smaller weight add less than a quarter of an 8-bit gray level to their pixel
MIN_WEIGHT = 1e-3


def render(
    scene: "VoxelScene",
    origins: Tensor,
    directions: Tensor,
    samples: int,
    generator: torch.Generator | None = None,
) -> Rendering:
    """Render rays (N, 3) with unit directions through the ball of one scene; samples as `march` places them."""
    rays, ends = (origins, directions), intersect_ball(origins, directions, scene.bound)
    found = march(scene.density_grid, scene.albedo_grid, _volume(scene.settings), rays, ends, samples, generator)
    color = found.color + found.transmitted[:, None] * torch.sigmoid(scene.background)
    return Rendering(color, 1 - found.transmitted, found.depth)


def _volume(s: VoxelField) -> Volume:
    def blob(points: Tensor) -> Tensor:
        return s.blob_scale * (1 - points.square().sum(dim=0).sqrt() / s.blob_radius)

    return Volume(s.bound, 2 * s.bound, 0, s.density_scale, blob, sigmoid=True, min_weight=MIN_WEIGHT, emptiness=False)
