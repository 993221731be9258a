"""Marching rays through an occupancy grid: once to count the samples of each ray, and once to write them."""

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor

from jsdpipe.scene.hash_grid.counting import Counting
from jsdpipe.scene.ray_samples import Samples

if TYPE_CHECKING:
    from jsdpipe.scene.hash_grid.occupancy import OccupancyGrid

BLOCK = 128  # steps of a ray at a time


def march(
    origins: Tensor, directions: Tensor, first: Tensor, far: Tensor, step: float, occupancy: "OccupancyGrid"
) -> Counting[Samples]:
    """Steps of rays (N, 3) from `first` (N,) whose middle is before `far` (N,) and in an occupied cell; float32.

    The same samples as in plain PyTorch, to the bit.
    """
    rays = [x.contiguous() for x in (origins, directions, first, far)]
    occupied, resolution = occupancy.occupied.view(torch.uint8), occupancy.resolution
    grid = (occupied, step, occupancy.bound, resolution / (2 * occupancy.bound), resolution)
    counts = torch.zeros(len(first), dtype=torch.long, device=first.device)
    # A product and a sum that are rounded at once would put samples into other cells than in PyTorch.
    options = {"BLOCK": BLOCK, "enable_fp_fusion": False}
    _march_kernel[(len(first),)](*rays, *grid, counts, counts, first, WRITE=False, **options)
    ends = counts.cumsum(0)
    (total,) = yield [counts.sum()]
    ray, t = torch.empty(total, dtype=torch.long, device=first.device), first.new_empty(total)
    _march_kernel[(len(first),)](*rays, *grid, ends - counts, ray, t, WRITE=True, **options)
    return Samples(ray, t, len(first), step)


@triton.jit
def _march_kernel(
    origins, directions, first, far, occupied, step, bound, cells_per_unit, resolution, places, ray, t,
    WRITE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write the number of a ray's samples to `places`, or its samples from its place there on."""
    here = tl.program_id(0).to(tl.int64)
    start, end = tl.load(first + here), tl.load(far + here)
    place = tl.load(places + here)
    steps = tl.ceil((end - start) / step).to(tl.int32)
    for begin in range(0, steps, BLOCK):
        distance = start + step * (begin + tl.arange(0, BLOCK) + 0.5)
        cell = tl.zeros((BLOCK,), tl.int32)
        for axis in tl.static_range(3):
            position = tl.load(origins + here * 3 + axis) + tl.load(directions + here * 3 + axis) * distance
            # clamped first, because far outside it would not fit into an integer
            along = tl.minimum(tl.maximum((position + bound) * cells_per_unit, 0.0), resolution - 1.0)
            cell = cell * resolution + along.to(tl.int32)
        found = (distance < end) & (tl.load(occupied + cell) != 0)
        if WRITE:
            to = place + tl.cumsum(found.to(tl.int32), 0) - 1
            tl.store(ray + to, here, mask=found)
            tl.store(t + to, distance, mask=found)
        place += tl.sum(found.to(tl.int32), 0)
    if not WRITE:
        tl.store(places + here, place)
