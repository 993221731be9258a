"""Volume rendering in plain PyTorch (NeRF, arXiv 2003.08934, eq. 3), with its gradient written out, for speed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from jsdpipe.base.device import CHUNK
from jsdpipe.scene.settings import VoxelField
from jsdpipe.scene.voxels.trilinear import gather, scatter
from jsdpipe.scene.voxels.volume import Volume

# a sample that adds less than a quarter of an 8-bit grey level to its pixel does not train its albedo
SEEN = 1e-3


@dataclass(frozen=True)
class Rendering:
    """Of N rays: colour over the background (N, 3), opacity (N,), and the mean depth (N,) of what is opaque, else 0.

    The depth carries no gradient.
    """

    rgb: Tensor
    opacity: Tensor
    depth: Tensor


def render(
    volume: Volume,
    origins: Tensor,
    directions: Tensor,
    samples: int,
    generator: torch.Generator | None = None,
) -> Rendering:
    """Render rays (N, 3) of unit directions through the ball of one asset.

    The ball's diameter is cut into `samples` steps; a ray takes as many of them as its way through the ball is long.
    With a generator a ray's samples lie at a random place in their steps, the same in each step; else in the middle.
    """
    step = 2 * volume.settings.bound / samples
    near, far = ball(origins, directions, volume.settings.bound)
    start = torch.full_like(near, 0.5)
    if generator is not None:
        start = torch.rand(len(near), generator=generator).to(near.device)
    first = near + step * start
    steps = ((far - first) / step).ceil().clamp(min=0).long()
    # rays of like length go together, so that few samples are beyond their ray's end; those that miss the ball go last
    order = steps.argsort(descending=True, stable=True)
    rays = [x[order] for x in (origins, directions, first, far)]
    march = _March.apply(volume.density, volume.albedo, rays, steps[order].tolist(), step, volume.settings)
    colour, passed, depth = (torch.empty_like(x).index_copy(0, order, x) for x in march)
    return Rendering(colour + passed[:, None] * torch.sigmoid(volume.background), 1 - passed, depth)


def ball(origins: Tensor, directions: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Distances (N,) at which rays (N, 3) enter and leave the ball around the origin; equal where they miss it."""
    middle = -(origins * directions).sum(dim=-1)
    half = (radius**2 - (origins * origins).sum(dim=-1) + middle**2).clamp(min=0).sqrt()
    return (middle - half).clamp(min=0), (middle + half).clamp(min=0)


class _March(torch.autograd.Function):
    """Colour (N, 3), passed light (N,) and depth (N,) of rays, in falling order of their steps, through the lattices.

    Sample i of a ray has thickness tau_i = step * density, lets pass P_i = exp(-sum_{j<=i} tau_j) of the light and so
    weighs w_i = P_{i-1} - P_i. With q_i = g . albedo_i for a gradient g on the colour and h on the passed light,
    dL/dtau_i = P_i q_i - sum_{j>i} w_j q_j - P_last h and dL/dalbedo_i = w_i g.
    """

    @staticmethod
    def forward(
        ctx: Any,
        density: Tensor,
        albedo: Tensor,
        rays: list[Tensor],
        steps: list[int],
        step: float,
        settings: VoxelField,
    ) -> tuple[Tensor, ...]:
        origins, directions, first, far = rays
        colour, passed, depth = torch.zeros_like(origins), torch.ones_like(first), torch.zeros_like(first)
        ctx.step, ctx.settings, ctx.chunks = step, settings, []
        for here in _chunks(steps, CHUNK[first.device.type]):
            t = first[here, None] + step * torch.arange(steps[here.start], device=first.device)  # (n, s)
            points = origins[here].T[:, :, None] + directions[here].T[:, :, None] * t  # (3, n, s)
            x = _to_voxels(points, settings).flatten(1)
            blob = settings.blob_scale * (1 - points.square().sum(dim=0).sqrt() / settings.blob_radius)
            raw = (gather(density, x).view_as(t) + blob).masked_fill_(t >= far[here, None], -torch.inf)
            passing = torch.exp(-step * settings.density_scale * torch.cumsum(softplus(raw), dim=1))
            weights = torch.cat((torch.ones_like(passing[:, :1]), passing[:, :-1]), dim=1) - passing
            colours = torch.sigmoid_(gather(albedo, x)).view_as(points)
            colour[here] = (weights * colours).sum(dim=2).T
            passed[here] = passing[:, -1]
            depth[here] = (weights * t).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-6)
            ctx.chunks.append((here, x, raw, colours, passing, weights))
        ctx.mark_non_differentiable(depth)
        return colour, passed, depth

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        on_colour, on_passed, _ = gradients
        r = ctx.settings.resolution
        volume = on_colour.new_zeros(4, r, r, r)
        for here, x, raw, colours, passing, weights in ctx.chunks:
            g = on_colour[here].T[:, :, None]  # (3, n, 1)
            q = (g * colours).sum(dim=0)
            shares = weights * q
            behind = shares.sum(dim=1, keepdim=True) - shares.cumsum(dim=1) + passing[:, -1:] * on_passed[here, None]
            on_density = ctx.step * ctx.settings.density_scale * torch.sigmoid(raw) * (passing * q - behind)
            scatter(volume[:1], on_density.view(1, -1), x)
            seen = (weights > SEEN).flatten().nonzero()[:, 0]
            on_albedo = (weights * g * colours * (1 - colours)).flatten(1)
            scatter(volume[1:], on_albedo.index_select(1, seen), x.index_select(1, seen))
        return volume[:1], volume[1:], None, None, None, None


def _chunks(steps: list[int], samples: int) -> Iterator[slice]:
    """Slices of rays, in falling order of steps, of at most so many samples each; rays without a step are left out."""
    start, end = 0, len(steps) - steps.count(0)
    while start < end:
        stop = min(start + max(1, samples // steps[start]), end)
        yield slice(start, stop)
        start = stop


def _to_voxels(points: Tensor, settings: VoxelField) -> Tensor:
    """Points of the world in voxels from the lattice's first one."""
    last = settings.resolution - 1
    return ((points + settings.bound) * (last / (2 * settings.bound))).clamp_(0, last)
