"""What a device could do at best: its measured peak, and the least that a call needs of it (the roofline model).

After Williams, Waterman and Patterson, "Roofline: an insightful visual performance model" (2009).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from jsdpipe.base.device import is_accelerator
from jsdpipe.prior.prior import Prior

REPEATS = 5


@dataclass(frozen=True)
class Peak:
    """A device's fastest matrix product, in floating-point operations a second, and copy, in bytes a second."""

    operations: float
    bytes: float

    def least_seconds(self, need: "Need") -> float:
        """The time that something takes at least."""
        return max(need.operations / self.operations, need.bytes / self.bytes)


@dataclass(frozen=True)
class Need:
    """Matrix operations, and bytes that pass through memory: weights once, each tensor in between out and in."""

    operations: float
    bytes: float


def measure_peak(device: str, dtype: torch.dtype) -> Peak:
    """Time a matrix product and a copy with as many threads as PyTorch has now; the best of `REPEATS`."""
    side, copied = (8192, 1 << 32) if is_accelerator(device) else (2048, 1 << 28)
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    source = torch.empty(copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    product = _least_time(lambda: torch.mm(a, b), device)
    copy = _least_time(lambda: target.copy_(source), device)
    return Peak(2 * side**3 / product, 2 * copied / copy)


def _least_time(work: Callable[[], Any], device: str) -> float:
    times = []
    for _ in range(REPEATS + 1):  # the first warms up, and is never the fastest
        start = time.perf_counter()
        work()
        if is_accelerator(device):
            torch.accelerator.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


def counter() -> FlopCounterMode:
    """Counts matrix operations; PyTorch's own counter does not know the attention of CPUs."""

    def attention(query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> int:
        count: int = sdpa_flop_count(query, key, value)
        return count

    known = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention}
    return FlopCounterMode(display=False, custom_mapping=known)


class _Traffic(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make, views aside."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.bytes += sum(x.numel() * x.element_size() for x in tree_leaves(result) if isinstance(x, torch.Tensor))
        return result


@torch.no_grad()
def unet_need(prior: Prior, samples: int) -> Need:
    """What one call of the prior's U-Net needs, with so many samples."""
    channels, side = prior.latent_shape
    z = torch.zeros(samples, channels, side, side, device=prior.device)
    t = torch.zeros(samples, dtype=torch.long, device=prior.device)
    embeddings = prior.embed([""]).expand(samples, -1, -1)
    before = prior.samples
    with counter() as operations, _Traffic() as traffic:
        prior.noise(z, t, embeddings)
    prior.samples = before
    weights = sum(p.numel() * p.element_size() for p in prior.unet.parameters())
    return Need(operations.get_total_flops(), weights + 2 * traffic.bytes)
