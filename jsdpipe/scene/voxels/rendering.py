"""Volume rendering of voxel scenes (NeRF, arXiv 2003.08934, eq. 3), in PyTorch with a written-out gradient for speed.

On a CPU autograd's bookkeeping costs more than the arithmetic, and `grid_sample` in 3-D is slow.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, softplus

from jsdpipe.base.device import CHUNK
from jsdpipe.scene.rendering import Rendering, intersect_ball
from jsdpipe.scene.voxels.settings import VoxelField

if TYPE_CHECKING:
    from jsdpipe.scene.voxels.scene import VoxelScene

# samples of a smaller weight add less than a quarter of an 8-bit gray level to their pixel and do not train the albedo
MIN_WEIGHT = 1e-3


def render(
    scene: "VoxelScene",
    origins: Tensor,
    directions: Tensor,
    samples: int,
    generator: torch.Generator | None = None,
) -> Rendering:
    """Render rays (N, 3) with unit directions through the ball of one scene.

    The ball's diameter is cut into `samples` steps; a ray takes as many of them as its chord is long. With a generator
    each ray's samples lie at one random place in their steps, otherwise in the middle.
    """
    step = 2 * scene.bound / samples
    near, far = intersect_ball(origins, directions, scene.bound)
    start = torch.full_like(near, 0.5)
    if generator is not None:
        start = torch.rand(len(near), generator=generator).to(near.device)
    first = near + step * start
    steps = ((far - first) / step).ceil().clamp(min=0).long()
    # rays of similar length share a chunk, so that little of it is padding; rays that miss the ball come last
    order = steps.argsort(descending=True, stable=True)
    rays = [x[order] for x in (origins, directions, first, far)]
    march = _March.apply(scene.density_grid, scene.albedo_grid, rays, steps[order].tolist(), step, scene.settings)
    color, transmitted, depth = (torch.empty_like(x).index_copy(0, order, x) for x in march)
    return Rendering(color + transmitted[:, None] * torch.sigmoid(scene.background), 1 - transmitted, depth)


class _March(torch.autograd.Function):
    """Color (N, 3), transmittance (N,) and depth (N,) of rays through the grids; rays in falling order of their steps.

    Sample i of a ray has optical depth tau_i = step * density_i. The transmittance behind it is
    T_i = exp(-sum_{j<=i} tau_j), and its weight w_i = T_{i-1} - T_i. With the gradients g on the color and h on the
    ray's transmittance, and q_i = g . albedo_i, the gradients are
    dL/dtau_i = T_i q_i - sum_{j>i} w_j q_j - T_last h and dL/dalbedo_i = w_i g.
    """

    @staticmethod
    def forward(
        ctx: Any,
        density_grid: Tensor,
        albedo_grid: Tensor,
        rays: list[Tensor],
        steps: list[int],
        step: float,
        settings: VoxelField,
    ) -> tuple[Tensor, ...]:
        origins, directions, first, far = rays
        color, transmitted, depth = torch.zeros_like(origins), torch.ones_like(first), torch.zeros_like(first)
        ctx.step, ctx.settings, ctx.chunks = step, settings, []
        for here in _chunks(steps, CHUNK[first.device.type]):
            t = first[here, None] + step * torch.arange(steps[here.start], device=first.device)  # (n, s)
            points = origins[here].T[:, :, None] + directions[here].T[:, :, None] * t  # (3, n, s)
            x = _to_voxels(points, settings).flatten(1)
            blob = settings.blob_scale * (1 - points.square().sum(dim=0).sqrt() / settings.blob_radius)
            raw = (gather(density_grid, x).view_as(t) + blob).masked_fill_(t >= far[here, None], -torch.inf)
            transmittance = torch.exp(-step * settings.density_scale * torch.cumsum(softplus(raw), dim=1))
            weights = torch.cat((torch.ones_like(transmittance[:, :1]), transmittance[:, :-1]), dim=1) - transmittance
            albedos = torch.sigmoid_(gather(albedo_grid, x)).view_as(points)
            color[here] = (weights * albedos).sum(dim=2).T
            transmitted[here] = transmittance[:, -1]
            depth[here] = (weights * t).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-6)
            ctx.chunks.append((here, x, raw, albedos, transmittance, weights))
        ctx.mark_non_differentiable(depth)
        return color, transmitted, depth

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        on_color, on_transmitted, _ = gradients
        r = ctx.settings.resolution
        grids = on_color.new_zeros(4, r, r, r)
        for here, x, raw, albedos, transmittance, weights in ctx.chunks:
            g = on_color[here].T[:, :, None]  # (3, n, 1)
            q = (g * albedos).sum(dim=0)
            shares = weights * q
            last = transmittance[:, -1:] * on_transmitted[here, None]
            behind = shares.sum(dim=1, keepdim=True) - shares.cumsum(dim=1) + last
            on_density = ctx.step * ctx.settings.density_scale * torch.sigmoid(raw) * (transmittance * q - behind)
            scatter(grids[:1], on_density.view(1, -1), x)
            trained = (weights > MIN_WEIGHT).flatten().nonzero()[:, 0]
            on_albedo = (weights * g * albedos * (1 - albedos)).flatten(1)
            scatter(grids[1:], on_albedo.index_select(1, trained), x.index_select(1, trained))
        return grids[:1], grids[1:], None, None, None, None


def _chunks(steps: list[int], samples: int) -> Iterator[slice]:
    """Slices of rays with at most so many samples each, for rays in falling order of steps; without rays of 0 steps."""
    start, end = 0, len(steps) - steps.count(0)
    while start < end:
        stop = min(start + max(1, samples // steps[start]), end)
        yield slice(start, stop)
        start = stop


def _to_voxels(points: Tensor, settings: VoxelField) -> Tensor:
    """World points in voxel coordinates: 0 at the grid's first voxel, R - 1 at its last."""
    last = settings.resolution - 1
    return ((points + settings.bound) * (last / (2 * settings.bound))).clamp_(0, last)


def gather(grid: Tensor, x: Tensor) -> Tensor:
    """Trilinear values (C, N) of a grid (C, R, R, R), axes z, y, x, at points x (3, N): rows x, y, z in voxels from 0.

    Several times as fast on a CPU as `grid_sample` in 3-D, because PyTorch has vector code for images only: the grid's
    slices, one below the other, form one tall image that is sampled bilinearly in two neighboring slices.
    """
    channels, r = grid.shape[0], grid.shape[-1]
    below = x[2].floor().clamp_(max=r - 2)
    at = x.new_empty(1, x.shape[1], 2, 2)
    at[0, :, :, 0] = (x[0] * (2 / (r - 1)) - 1)[:, None]
    row = (below * r + x[1]) * (2 / (r * r - 1)) - 1
    at[0, :, 0, 1] = row
    at[0, :, 1, 1] = row + 2 * r / (r * r - 1)
    slices = grid_sample(grid.reshape(1, channels, r * r, r), at, padding_mode="border", align_corners=True)[0]
    return torch.lerp(slices[..., 0], slices[..., 1], x[2] - below)


def scatter(grid: Tensor, values: Tensor, x: Tensor) -> None:
    """Add values (C, N) at points x (3, N) to a grid (C, R, R, R) in place, each shared by the eight voxels around it.

    The transpose of `gather`.
    """
    channels, r = grid.shape[0], grid.shape[-1]
    flat = grid.view(channels, -1)
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
