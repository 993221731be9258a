"""Compositing along rays (NeRF, arXiv 2003.08934, eq. 3): a program goes along a ray, a block of samples at a time."""

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from jsdpipe.scene.ray_samples import Samples

BLOCK = 64  # samples of a ray at a time


def transmittance(optical_depth: Tensor, samples: "Samples") -> Tensor:
    """Share of light (M,) that reaches each sample, exp(-sum of the optical depths before it), from those (M,)."""
    return _Transmittance.apply(optical_depth, _edges(samples))


def accumulate(values: Tensor, samples: "Samples") -> Tensor:
    """Sums along rays (N, C) of values (M, C); 0 for a ray without samples."""
    return _Accumulate.apply(values, samples.ray, _edges(samples))


def _edges(samples: "Samples") -> Tensor:
    """Where the samples of each ray begin, and where the last one's end (N + 1,)."""
    return torch.searchsorted(samples.ray, torch.arange(samples.rays + 1, device=samples.ray.device))


class _Transmittance(torch.autograd.Function):
    """With transmittances T_i and their gradients g_i, the gradient on depth j is -sum_{i>j} T_i g_i."""

    @staticmethod
    def forward(ctx: Any, optical_depth: Tensor, edges: Tensor) -> Tensor:
        passed = torch.empty_like(optical_depth, memory_format=torch.contiguous_format)
        _passed_kernel[(len(edges) - 1,)](optical_depth.contiguous(), passed, edges, BLOCK=BLOCK)
        ctx.save_for_backward(passed, edges)
        return passed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        passed, edges = ctx.saved_tensors
        found = torch.empty_like(passed)
        _behind_kernel[(len(edges) - 1,)](passed * gradients[0], found, edges, BLOCK=BLOCK)
        return found.neg_(), None


class _Accumulate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, ray: Tensor, edges: Tensor) -> Tensor:
        ctx.save_for_backward(ray)
        channels = values.shape[1]
        sums = values.new_empty(len(edges) - 1, channels)
        columns = triton.next_power_of_2(channels)
        _sums_kernel[(len(sums),)](
            values.contiguous(), sums, edges, CHANNELS=channels, COLUMNS=columns, BLOCK=BLOCK
        )  # fmt: skip
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (ray,) = ctx.saved_tensors
        return gradients[0][ray], None, None


@triton.jit
def _passed_kernel(depth, passed, edges, BLOCK: tl.constexpr):
    begin, end = tl.load(edges + tl.program_id(0)), tl.load(edges + tl.program_id(0) + 1)
    before = tl.full((), 0, depth.dtype.element_ty)
    for start in range(begin, end, BLOCK):
        at = start + tl.arange(0, BLOCK)
        # the depths before these samples, because a difference of sums would lose small ones beside a large one
        previous = tl.load(depth + at - 1, mask=(at > begin) & (at < end), other=0.0)
        tl.store(passed + at, tl.exp(-(before + tl.cumsum(previous, 0))), mask=at < end)
        before += tl.sum(previous, 0)


@triton.jit
def _behind_kernel(values, behind, edges, BLOCK: tl.constexpr):
    """The sum of the values behind each one in its ray."""
    begin, end = tl.load(edges + tl.program_id(0)), tl.load(edges + tl.program_id(0) + 1)
    after = tl.full((), 0, values.dtype.element_ty)
    for done in range(0, end - begin, BLOCK):
        at = end - 1 - done - tl.arange(0, BLOCK)  # from the last one
        following = tl.load(values + at + 1, mask=(at >= begin) & (at < end - 1), other=0.0)
        tl.store(behind + at, after + tl.cumsum(following, 0), mask=at >= begin)
        after += tl.sum(following, 0)


@triton.jit
def _sums_kernel(values, sums, edges, CHANNELS: tl.constexpr, COLUMNS: tl.constexpr, BLOCK: tl.constexpr):
    ray = tl.program_id(0).to(tl.int64)
    begin, end = tl.load(edges + ray), tl.load(edges + ray + 1)
    column = tl.arange(0, COLUMNS)
    total = tl.zeros((COLUMNS,), values.dtype.element_ty)
    for start in range(begin, end, BLOCK):
        at = start + tl.arange(0, BLOCK)
        mask = (at < end)[:, None] & (column < CHANNELS)[None, :]
        total += tl.sum(tl.load(values + at[:, None] * CHANNELS + column[None, :], mask=mask, other=0.0), axis=0)
    tl.store(sums + ray * CHANNELS + column, total, mask=column < CHANNELS)
