"""Samples of many rays in one flat list, and volume rendering along the rays (NeRF, arXiv 2003.08934, eq. 3)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from jsdpipe.base.device import has_triton


@dataclass(frozen=True)
class Samples:
    """M samples of N rays, ray after ray: each one's ray `ray` (M,) and distance `t` (M,), the middle of its step.

    `rays` is N; `step` is the length of a step. Lengths are in world units.
    """

    ray: Tensor
    t: Tensor
    rays: int
    step: float

    @cached_property
    def counts(self) -> Tensor:
        """Number of samples of each ray (N,)."""
        # `bincount` would wait for the largest ray
        return torch.searchsorted(self.ray, torch.arange(self.rays + 1, device=self.ray.device)).diff()

    def __getitem__(self, index: Tensor) -> "Samples":
        return Samples(self.ray[index], self.t[index], self.rays, self.step)


def places(mask: Tensor, count: int) -> Tensor:
    """Where a mask (N,) is true, in order: `nonzero` without a wait, because their number `count` is known."""
    return torch.repeat_interleave(mask.long(), output_size=count)


def transmittance(density: Tensor, samples: Samples) -> Tensor:
    """Share of light (M,) that reaches each sample, exp(-sum of step * density before it), from density (M,).

    On CUDA a Triton kernel computes it.
    """
    optical_depth = samples.step * density
    if has_triton(density.device.type):
        from jsdpipe.scene.kernels import compositing  # PyTorch for CPUs comes without Triton

        return compositing.transmittance(optical_depth, samples)
    return torch.exp(-_ExclusiveSum.apply(optical_depth, samples.counts))


def alpha(density: Tensor, samples: Samples) -> Tensor:
    """Share of light (M,) that each sample absorbs, 1 - exp(-step * density), from density (M,)."""
    return -torch.expm1(-samples.step * density)


def accumulate(values: Tensor, samples: Samples) -> Tensor:
    """Sums along rays (N, C) of values (M, C); 0 for a ray without samples. Deterministic, also on a GPU.

    On CUDA a Triton kernel adds up.
    """
    if has_triton(values.device.type):
        from jsdpipe.scene.kernels import compositing

        return compositing.accumulate(values, samples)
    # unsafe: the lengths are not checked, which would wait for them
    return torch.segment_reduce(values.contiguous(), "sum", lengths=samples.counts, axis=0, unsafe=True, initial=0.0)


class _ExclusiveSum(torch.autograd.Function):
    """Sum of the values before each one (M,) in its segment; N segments, one after the other, are `counts` (N,) long.

    The sums are differences of one cumulative sum over all segments, so they need double precision.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, counts: Tensor) -> Tensor:
        ctx.save_for_backward(counts)
        running = _cumulative_sum(values)
        starts = running[counts.cumsum(0) - counts].repeat_interleave(counts, output_size=len(values))
        return (running[:-1] - starts).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (counts,) = ctx.saved_tensors
        running = _cumulative_sum(gradients[0])
        ends = running[counts.cumsum(0)].repeat_interleave(counts, output_size=len(gradients[0]))
        return (ends - running[1:]).to(gradients[0].dtype), None


def _cumulative_sum(values: Tensor) -> Tensor:
    """Cumulative sum (M + 1,) that begins with 0."""
    return torch.cat((values.new_zeros(1, dtype=torch.double), values.double().cumsum(0)))
