"""Samples of rays, side by side in one list, and sums along rays (NeRF, arXiv 2003.08934, eq. 3).

In plain PyTorch; on CUDA by nerfacc where it is installed.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from jsdpipe.base.device import cuda_package
from jsdpipe.scene.hash_grid.occupancy import OccupancyGrid


@dataclass(frozen=True)
class Samples:
    """M samples of N rays, by ray and along it: the ray `ray` (M,), and the middle `t` (M,) of a step of `step`."""

    ray: Tensor
    t: Tensor
    rays: int
    step: float

    @property
    def counts(self) -> Tensor:
        """Samples a ray (N,)."""
        return torch.bincount(self.ray, minlength=self.rays)

    def __getitem__(self, mask: Tensor) -> "Samples":
        return Samples(self.ray[mask], self.t[mask], self.rays, self.step)


def march(
    origins: Tensor, directions: Tensor, first: Tensor, far: Tensor, step: float, occupancy: OccupancyGrid
) -> Samples:
    """The steps of rays (N, 3) from `first` (N,) on whose middle lies before `far` (N,) and in an occupied cell."""
    nerfacc = cuda_package("nerfacc", first.device.type)
    if nerfacc is not None:
        return _march_by(nerfacc, origins, directions, first, far, step, occupancy)
    most = int(((far - first) / step).amax().clamp(min=0).ceil()) if len(first) else 0
    t = first[:, None] + step * (torch.arange(most, device=first.device) + 0.5)
    points = origins[:, None] + directions[:, None] * t[:, :, None]
    ray, place = ((t < far[:, None]) & occupancy.at(points)).nonzero(as_tuple=True)
    return Samples(ray, t[ray, place], len(first), step)


def _march_by(
    nerfacc: Any,
    origins: Tensor,
    directions: Tensor,
    first: Tensor,
    far: Tensor,
    step: float,
    occupancy: OccupancyGrid,
) -> Samples:
    b = occupancy.bound
    intervals, samples, _ = nerfacc.traverse_grids(
        origins.contiguous(),
        directions.contiguous(),
        occupancy.occupied[None],
        first.new_tensor([[-b, -b, -b, b, b, b]]),
        near_planes=first,
        far_planes=far,
        step_size=step,
        cone_angle=0.0,
    )
    t = (intervals.vals[intervals.is_left] + intervals.vals[intervals.is_right]) / 2
    return Samples(samples.ray_indices.long(), t, len(first), step)


def transmittance(density: Tensor, samples: Samples) -> Tensor:
    """The share of light (M,) that reaches each sample, exp(-sum of step * density before it), of density (M,)."""
    nerfacc = cuda_package("nerfacc", density.device.type)
    if nerfacc is not None and len(density):
        half = samples.step / 2
        passed, _ = nerfacc.render_transmittance_from_density(
            samples.t - half, samples.t + half, density, ray_indices=samples.ray, n_rays=samples.rays
        )
        return passed
    return torch.exp(-_Before.apply(samples.step * density, samples.counts))


def alpha(density: Tensor, samples: Samples) -> Tensor:
    """The share of light (M,) that stays in each sample, 1 - exp(-step * density), of density (M,)."""
    return -torch.expm1(-samples.step * density)


def accumulate(values: Tensor, samples: Samples) -> Tensor:
    """Sums (N, C) along rays of values (M, C); 0 for a ray without samples. The same in every run, on GPUs too."""
    return torch.segment_reduce(values.contiguous(), "sum", lengths=samples.counts, axis=0, initial=0.0)


class _Before(torch.autograd.Function):
    """Sums of what comes before each value (M,) in its segment; segments lie side by side, `counts` (N,) long.

    Differences of a running sum over all, which is why they are taken in double precision.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, counts: Tensor) -> Tensor:
        ctx.save_for_backward(counts)
        running = _running_sum(values)
        starts = running[counts.cumsum(0) - counts].repeat_interleave(counts)
        return (running[:-1] - starts).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (counts,) = ctx.saved_tensors
        running = _running_sum(gradients[0])
        ends = running[counts.cumsum(0)].repeat_interleave(counts)
        return (ends - running[1:]).to(gradients[0].dtype), None


def _running_sum(values: Tensor) -> Tensor:
    """(M + 1,), from 0 on."""
    return torch.cat((values.new_zeros(1, dtype=torch.double), values.double().cumsum(0)))
