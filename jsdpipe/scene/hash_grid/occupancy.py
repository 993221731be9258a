"""Skipping empty space: a grid of occupied cells, updated in training, and rays that are sampled only in those.

After nerfacc's `OccGridEstimator` (arXiv 2210.04847).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from jsdpipe.base.device import has_triton
from jsdpipe.scene.ray_samples import Samples

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
        sampled = optical_depth_at((points - self.bound).to(device))
        cells, flat = cells.to(device), self.optical_depth.view(-1)
        # a cell that is drawn twice decays once
        flat[cells] = flat[cells] * DECAY
        flat.scatter_reduce_(0, cells, sampled, "amax")
        self.occupied.copy_(self.optical_depth > flat.mean().clamp(max=THRESHOLD))

    def _all_cells(self) -> Tensor:
        return torch.arange(self.resolution**3)

    def _random_cells(self, generator: torch.Generator) -> Tensor:
        count = self.resolution**3 // 4
        anywhere = torch.randint(self.resolution**3, (count,), generator=generator)
        occupied = self.occupied.flatten().nonzero()[:, 0].cpu()
        if len(occupied) > count:
            occupied = occupied[torch.randint(len(occupied), (count,), generator=generator)]
        return torch.cat((anywhere, occupied))


def march(
    origins: Tensor, directions: Tensor, first: Tensor, far: Tensor, step: float, occupancy: OccupancyGrid
) -> Samples:
    """Steps of rays (N, 3) from `first` (N,) whose middle is before `far` (N,) and in an occupied cell.

    On CUDA a Triton kernel marches.
    """
    if has_triton(first.device.type):
        from jsdpipe.scene.kernels import marching  # PyTorch for CPUs comes without Triton

        return marching.march(origins, directions, first, far, step, occupancy)
    most = int(((far - first) / step).amax().clamp(min=0).ceil()) if len(first) else 0
    t = first[:, None] + step * (torch.arange(most, device=first.device) + 0.5)
    points = origins[:, None] + directions[:, None] * t[:, :, None]
    ray, place = ((t < far[:, None]) & occupancy.at(points)).nonzero(as_tuple=True)
    return Samples(ray, t[ray, place], len(first), step)
