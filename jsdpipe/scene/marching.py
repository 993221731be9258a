"""Volume rendering of dense grids (NeRF, arXiv 2003.08934, eq. 3), in PyTorch with a written-out gradient for speed.

On a CPU autograd's bookkeeping costs more than the arithmetic, and `grid_sample` in 3-D is slow.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, softplus

from jsdpipe.base.device import is_accelerator, samples_at_once, to_device

EMPTINESS_SCALE = 10  # SJC's public codes


@dataclass(frozen=True)
class Volume:
    """How grids (C, R, R, R), axes z, y, x, over the cube [-bound, bound]^3 are read.

    Args:
        bound: half the side of the cube in world units.
        longest: the longest way of a ray between its ends, in world units.
        margin: how far inside the cube's faces the outer voxels lie, in voxels.
        density_scale: density = density_scale * softplus(value + bias).
        bias: gives the bias (...) at points (3, ...).
        sigmoid: whether colors are the sigmoid of the values, or the values themselves.
        min_weight: samples of at most this weight do not train the colors.
        emptiness: whether SJC's emptiness is wanted.
    """

    bound: float
    longest: float
    margin: float
    density_scale: float
    bias: Callable[[Tensor], Tensor | float]
    sigmoid: bool
    min_weight: float
    emptiness: bool

    def to_voxels(self, points: Tensor, resolution: int) -> Tensor:
        """World points in voxel coordinates, clamped: 0 at a grid's first voxel, R - 1 at its last."""
        last = resolution - 1
        x = (points + self.bound) * ((last + 2 * self.margin) / (2 * self.bound))
        return (x.sub_(self.margin) if self.margin else x).clamp_(0, last)


@dataclass(frozen=True)
class Marched:
    """Of N rays: color without background (N, C), transmittance (N,), depth (N,), and emptiness () of their samples.

    Depth has no gradient. Emptiness is the mean of log(1 + 10 w) over the samples' weights w, 0 if it is not wanted.
    """

    color: Tensor
    transmitted: Tensor
    depth: Tensor
    emptiness: Tensor


def march(
    density_grid: Tensor,
    color_grid: Tensor,
    volume: Volume,
    rays: tuple[Tensor, Tensor],
    ends: tuple[Tensor, Tensor],
    samples: int,
    generator: torch.Generator | None = None,
) -> Marched:
    """March along rays, origins (N, 3) and unit directions (N, 3), between their ends, distances (N,).

    A step is 2 * bound / samples; a ray takes as many as fit between its ends. With a generator each ray's samples lie
    at one random place in their steps, otherwise in the middle.
    """
    step = 2 * volume.bound / samples
    near, far = ends
    start = torch.full_like(near, 0.5)
    if generator is not None:
        start = to_device(torch.rand(len(near), generator=generator), near.device)
    first = near + step * start
    arguments = (*rays, first, far)
    if is_accelerator(near.device):
        # padding costs less than a wait for the numbers of steps
        most = [math.ceil(volume.longest / step)] * len(near)
        color, transmitted, depth, emptiness = _March.apply(density_grid, color_grid, arguments, most, step, volume)
    else:
        # rays of similar length share a chunk, so that little of it is padding; rays without a step come last
        steps = _steps(first, far, step)
        order = steps.argsort(descending=True, stable=True)
        in_order = [x[order] for x in arguments]
        marched = _March.apply(density_grid, color_grid, in_order, steps[order].tolist(), step, volume)
        color, transmitted, depth = (torch.empty_like(x).index_copy(0, order, x) for x in marched[:3])
        emptiness = marched[3]
    mean = emptiness.sum() / _steps(first, far, step).sum().clamp(min=1) if volume.emptiness else first.new_zeros(())
    return Marched(color, transmitted, depth, mean)


def _steps(first: Tensor, far: Tensor, step: float) -> Tensor:
    """How many steps (N,) fit between the ends of rays."""
    return ((far - first) / step).ceil().clamp(min=0).long()


class _March(torch.autograd.Function):
    """Color (N, C), transmittance (N,), depth (N,), summed emptiness (N,) of rays in falling order of their `steps`.

    These are at least as many as fit between a ray's ends; what is behind its far end does not count.

    Sample i of a ray has optical depth tau_i = step * density_i. The transmittance behind it is
    T_i = exp(-sum_{j<=i} tau_j), and its weight w_i = T_{i-1} - T_i. With the gradients g on the color, h on the ray's
    transmittance and e on its emptiness, and q_i = g . color_i + 10 e / (1 + 10 w_i), the gradients are
    dL/dtau_i = T_i q_i - sum_{j>i} w_j q_j - T_last h and dL/dcolor_i = w_i g.
    """

    @staticmethod
    def forward(
        ctx: Any,
        density_grid: Tensor,
        color_grid: Tensor,
        rays: Sequence[Tensor],
        steps: list[int],
        step: float,
        volume: Volume,
    ) -> tuple[Tensor, ...]:
        origins, directions, first, far = rays
        channels, r = color_grid.shape[0], color_grid.shape[-1]
        color, transmitted = first.new_zeros(len(first), channels), torch.ones_like(first)
        depth, emptiness = first.new_zeros(2, len(first))
        ctx.step, ctx.volume, ctx.shape, ctx.chunks = step, volume, color_grid.shape, []
        for here in _chunks(steps, samples_at_once(first.device)):
            t = first[here, None] + step * torch.arange(steps[here.start], device=first.device)  # (n, s)
            points = origins[here].T[:, :, None] + directions[here].T[:, :, None] * t  # (3, n, s)
            x = volume.to_voxels(points, r).flatten(1)
            if is_accelerator(x.device):  # both grids by one operation
                x = normalized(x, r)
                values = gather(torch.cat((density_grid, color_grid)), x)
                raw, values = values[:1], values[1:]
            else:
                raw, values = gather(density_grid, x), gather(color_grid, x)
            raw = raw.view_as(t) + volume.bias(points)
            raw.masked_fill_(t >= far[here, None], -torch.inf)
            transmittance = torch.exp(-step * volume.density_scale * torch.cumsum(softplus(raw), dim=1))
            weights = torch.cat((torch.ones_like(transmittance[:, :1]), transmittance[:, :-1]), dim=1) - transmittance
            colors = (torch.sigmoid_(values) if volume.sigmoid else values).view(channels, *t.shape)
            color[here] = (weights * colors).sum(dim=2).T
            transmitted[here] = transmittance[:, -1]
            depth[here] = (weights * t).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-6)
            if volume.emptiness:
                emptiness[here] = torch.log1p(EMPTINESS_SCALE * weights).sum(dim=1)
            ctx.chunks.append((here, x, raw, colors, transmittance, weights))
        ctx.mark_non_differentiable(depth)
        return color, transmitted, depth, emptiness

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        on_colors, on_transmitted, _, on_emptiness = gradients
        volume, (channels, *sides) = ctx.volume, ctx.shape
        grids = on_colors.new_zeros(1 + channels, *sides)
        for here, x, raw, colors, transmittance, weights in ctx.chunks:
            g = on_colors[here].T[:, :, None]  # (C, n, 1)
            q = (g * colors).sum(dim=0)
            if volume.emptiness:
                q += on_emptiness[here, None] * (EMPTINESS_SCALE / (1 + EMPTINESS_SCALE * weights))
            shares = weights * q
            last = transmittance[:, -1:] * on_transmitted[here, None]
            behind = shares.sum(dim=1, keepdim=True) - shares.cumsum(dim=1) + last
            on_density = ctx.step * volume.density_scale * torch.sigmoid(raw) * (transmittance * q - behind)
            trained = weights > volume.min_weight
            on_values = weights * g
            if volume.sigmoid:
                on_values = on_values * colors * (1 - colors)
            if is_accelerator(x.device):  # it would wait for the number of places
                scatter(grids, torch.cat((on_density[None], on_values * trained)).flatten(1), x)
            else:
                scatter(grids[:1], on_density.view(1, -1), x)
                places = trained.flatten().nonzero()[:, 0]
                scatter(grids[1:], on_values.flatten(1).index_select(1, places), x.index_select(1, places))
        return grids[:1], grids[1:], None, None, None, None


def _chunks(steps: list[int], samples: int) -> Iterator[slice]:
    """Slices of rays with at most so many samples each, for rays in falling order of steps; without rays of 0 steps."""
    start, end = 0, len(steps) - steps.count(0)
    while start < end:
        stop = min(start + max(1, samples // steps[start]), end)
        yield slice(start, stop)
        start = stop


def gather(grid: Tensor, x: Tensor) -> Tensor:
    """Trilinear values (C, N) of a grid (C, R, R, R), axes z, y, x, at points x (3, N): rows x, y, z in voxels from 0.

    On an accelerator the points are `normalized`, and PyTorch's own interpolation is taken.
    On a CPU several times as fast as `grid_sample` in 3-D, because PyTorch has vector code for images only: the grid's
    slices, one below the other, form one tall image that is sampled bilinearly in two neighboring slices.
    """
    channels, r = grid.shape[0], grid.shape[-1]
    if is_accelerator(grid.device):
        return grid_sample(grid[None], x, padding_mode="border", align_corners=True).view(channels, -1)
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
    if is_accelerator(grid.device):
        # the gradient of `grid_sample`: bilinear (0), border (1), aligned corners; of the grid, not of the points
        grid += torch.ops.aten.grid_sampler_3d_backward(
            values.view(1, channels, 1, 1, -1), grid[None], x, 0, 1, True, (True, False)
        )[0][0]
        return
    flat = grid.view(channels, -1)
    corner = x.floor().clamp_(max=r - 2)
    far = x - corner
    near = 1 - far
    # whole numbers, because single precision has no odd ones from 2^24 on: the voxels of a grid of 256 a side
    base = (corner[2] * r + corner[1]).int() * r + corner[0].int()
    for z, along_z in enumerate((near[2], far[2])):
        for y, along_y in enumerate((near[1], far[1])):
            in_row = values * (along_z * along_y)
            for x_, along_x in enumerate((near[0], far[0])):
                index, share = base + ((z * r + y) * r + x_), in_row * along_x
                for channel in range(channels):
                    flat[channel].index_add_(0, index, share[channel])


def normalized(x: Tensor, resolution: int) -> Tensor:
    """Points (3, N) in voxels as `grid_sample` takes them, (1, 1, 1, N, 3) in [-1, 1]."""
    return (x * (2 / (resolution - 1)) - 1).T.reshape(1, 1, 1, -1, 3)
