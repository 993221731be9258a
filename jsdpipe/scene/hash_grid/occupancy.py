"""Skipping empty space: a grid of occupied cells, updated in training, and rays that are sampled only in those.

After nerfacc's `OccGridEstimator` (arXiv 2210.04847).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from jsdpipe.base.device import ToHost, has_triton, is_accelerator, to_device
from jsdpipe.scene.hash_grid.counting import Counting
from jsdpipe.scene.ray_samples import Samples, places

THRESHOLD = 0.01  # optical depth that always makes a cell occupied
DECAY = 0.95  # factor on a cell's optical depth at each update
WARM_UP = 256  # steps in which an update samples every cell


class OccupancyGrid(nn.Module):
    """R^3 cells of the cube [-bound, bound]^3: `optical_depth` (R, R, R) and `occupied` (R, R, R), axes x, y, z.

    Optical depth is that of one step of a ray: density times the step's length. Until the first update all cells are
    occupied.
    """

    optical_depth: Tensor
    occupied: Tensor

    def __init__(self, resolution: int, bound: float) -> None:
        super().__init__()
        self.resolution, self.bound = resolution, bound
        self.register_buffer("optical_depth", torch.zeros((resolution,) * 3), persistent=False)
        self.register_buffer("occupied", torch.ones((resolution,) * 3, dtype=torch.bool), persistent=False)
        # sent at each update and read at the next one, so that the host never waits for it
        self._occupied_on_host = ToHost(self.occupied)

    def at(self, points: Tensor) -> Tensor:
        """Whether the cells of points (..., 3) are occupied (...)."""
        cells = ((points + self.bound) * (self.resolution / (2 * self.bound))).long().clamp_(0, self.resolution - 1)
        x, y, z = cells.unbind(dim=-1)
        return self.occupied.flatten()[(x * self.resolution + y) * self.resolution + z]

    @torch.no_grad()
    def update(self, step: int, optical_depth_at: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        """Sample `optical_depth_at(points (N, 3))` (N,) at a random point of each cell.

        After the warm-up only of a quarter of all cells, drawn with replacement, and of at most as many occupied ones.
        A cell's value becomes the sample, or its old value times `DECAY` if that is larger. Cells are occupied whose
        value exceeds the mean of all values, or `THRESHOLD` if that is lower.
        """
        cells = self._all_cells() if step < WARM_UP else self._random_cells(generator)
        corner = torch.stack(torch.unravel_index(cells, self.optical_depth.shape), dim=-1)
        points = (corner + torch.rand(len(cells), 3, generator=generator)) * (2 * self.bound / self.resolution)
        device = self.optical_depth.device
        sampled = optical_depth_at(to_device(points - self.bound, device))
        cells, flat = to_device(cells, device), self.optical_depth.view(-1)
        # a cell that is drawn twice decays once
        flat[cells] = flat[cells] * DECAY
        flat.scatter_reduce_(0, cells, sampled, "amax")
        self.occupied.copy_(self.optical_depth > flat.mean().clamp(max=THRESHOLD))
        self._occupied_on_host = ToHost(self.occupied)

    def _all_cells(self) -> Tensor:
        return torch.arange(self.resolution**3)

    def _random_cells(self, generator: torch.Generator) -> Tensor:
        count = self.resolution**3 // 4
        anywhere = torch.randint(self.resolution**3, (count,), generator=generator)
        occupied = self._occupied_on_host.read().flatten().nonzero()[:, 0]
        if len(occupied) > count:
            occupied = occupied[torch.randint(len(occupied), (count,), generator=generator)]
        return torch.cat((anywhere, occupied))


def march(
    origins: Tensor, directions: Tensor, first: Tensor, far: Tensor, step: float, occupancy: OccupancyGrid
) -> Counting[Samples]:
    """Steps of rays (N, 3) from `first` (N,) whose middle is before `far` (N,) and in an occupied cell.

    On accelerators, from `first` to `far` is at most the diameter of the ball in the grid's cube. On CUDA a Triton
    kernel marches.
    """
    if has_triton(first.device.type):
        from jsdpipe.scene.kernels import marching  # PyTorch for CPUs comes without Triton

        return (yield from marching.march(origins, directions, first, far, step, occupancy))
    if is_accelerator(first.device):  # it would wait for the longest ray
        most = math.ceil(2 * occupancy.bound / step)
    else:
        most = int(((far - first) / step).amax().clamp(min=0).ceil()) if len(first) else 0
    found = _occupied(origins, directions, first, far, step, most, occupancy)
    (count,) = yield [found.count_nonzero()]
    at = places(found.flatten(), count)
    ray = at // max(1, most)
    return Samples(ray, _middles(first[ray], at - ray * most, step), len(first), step)


def _occupied(
    origins: Tensor, directions: Tensor, first: Tensor, far: Tensor, step: float, most: int, occupancy: OccupancyGrid
) -> Tensor:
    """Which of the first `most` steps of rays have their middle before `far` and in an occupied cell (N, most)."""
    t = _middles(first[:, None], torch.arange(most, device=first.device), step)
    points = origins[:, None] + directions[:, None] * t[:, :, None]
    return (t < far[:, None]) & occupancy.at(points)


def _middles(first: Tensor, place: Tensor, step: float) -> Tensor:
    """How far the middles of steps are, by their places from 0, if the first one begins at `first`."""
    return first + step * (place + 0.5)
