"""Trilinear interpolation in a volume and its transpose, several times as fast on a CPU as `grid_sample` in 3-D."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def gather(volume: Tensor, x: Tensor) -> Tensor:
    """(C, N): the volume (C, R, R, R), axes z, y, x, at points x (3, N), rows x, y, z, in voxels from its first one.

    Two bilinear looks into the volume's slices, which lie below each other as one tall picture: PyTorch has vector code
    for pictures only.
    """
    channels, r = volume.shape[0], volume.shape[-1]
    below = x[2].floor().clamp_(max=r - 2)
    grid = x.new_empty(1, x.shape[1], 2, 2)
    grid[0, :, :, 0] = (x[0] * (2 / (r - 1)) - 1)[:, None]
    row = (below * r + x[1]) * (2 / (r * r - 1)) - 1
    grid[0, :, 0, 1] = row
    grid[0, :, 1, 1] = row + 2 * r / (r * r - 1)
    slices = grid_sample(volume.reshape(1, channels, r * r, r), grid, padding_mode="border", align_corners=True)[0]
    return torch.lerp(slices[..., 0], slices[..., 1], x[2] - below)


def scatter(volume: Tensor, values: Tensor, x: Tensor) -> None:
    """Add values (C, N) at points x (3, N) to the eight voxels around, in the volume (C, R, R, R), weighted."""
    channels, r = volume.shape[0], volume.shape[-1]
    flat = volume.view(channels, -1)
    corner = x.floor().clamp_(max=r - 2)
    far = x - corner
    near = 1 - far
    base = ((corner[2] * r + corner[1]) * r + corner[0]).int()
    for z, along_z in enumerate((near[2], far[2])):
        for y, along_y in enumerate((near[1], far[1])):
            in_row = values * (along_z * along_y)
            for x_, along_x in enumerate((near[0], far[0])):
                index, share = base + ((z * r + y) * r + x_), in_row * along_x
                for channel in range(channels):
                    flat[channel].index_add_(0, index, share[channel])
