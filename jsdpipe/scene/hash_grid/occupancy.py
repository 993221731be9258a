"""Which cells of space may hold something, learnt along the way, as nerfacc's `OccGridEstimator` does (2210.04847)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

THRESHOLD = 0.01  # the most that a cell's thickness must reach
DECAY = 0.95  # of what a cell was seen to hold, an update
WARM_UP = 256  # steps with updates of all cells


class OccupancyGrid(nn.Module):
    """The cube [-bound, bound]^3 in R^3 cells: `thickness` (R, R, R), `occupied` (R, R, R), axes x, y, z.

    Thickness is density times the length of a ray's step. All cells are occupied until the first update.
    """

    thickness: Tensor
    occupied: Tensor

    def __init__(self, resolution: int, bound: float) -> None:
        super().__init__()
        self.resolution, self.bound = resolution, bound
        self.register_buffer("thickness", torch.zeros((resolution,) * 3), persistent=False)
        self.register_buffer("occupied", torch.ones((resolution,) * 3, dtype=torch.bool), persistent=False)

    def at(self, points: Tensor) -> Tensor:
        """Whether the cells of points (..., 3) are occupied (...)."""
        cells = ((points + self.bound) * (self.resolution / (2 * self.bound))).long().clamp_(0, self.resolution - 1)
        x, y, z = cells.unbind(dim=-1)
        return self.occupied.flatten()[(x * self.resolution + y) * self.resolution + z]

    @torch.no_grad()
    def update(self, step: int, thickness_at: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        """Look at a random point of every cell, after the warm-up of a quarter of them and of as many occupied ones.

        A cell keeps the larger of what is seen, `thickness_at(points (N, 3))` (N,), and what it held, decayed. It is
        occupied above the mean of what is not empty, at most above the threshold.
        """
        cells = self._all() if step < WARM_UP else self._some(generator)
        corner = torch.stack(torch.unravel_index(cells, self.thickness.shape), dim=-1)
        points = (corner + torch.rand(len(cells), 3, generator=generator)) * (2 * self.bound / self.resolution)
        device = self.thickness.device
        seen = thickness_at((points - self.bound).to(device))
        cells, flat = cells.to(device), self.thickness.view(-1)
        # a cell may come twice
        flat[cells] = flat[cells] * DECAY
        flat.scatter_reduce_(0, cells, seen, "amax")
        held = flat[flat > 0]
        threshold = held.mean().clamp(max=THRESHOLD) if len(held) else flat.new_tensor(THRESHOLD)
        self.occupied.copy_(self.thickness > threshold)

    def _all(self) -> Tensor:
        return torch.arange(self.resolution**3)

    def _some(self, generator: torch.Generator) -> Tensor:
        count = self.resolution**3 // 4
        anywhere = torch.randint(self.resolution**3, (count,), generator=generator)
        occupied = self.occupied.flatten().nonzero()[:, 0].cpu()
        if len(occupied) > count:
            occupied = occupied[torch.randint(len(occupied), (count,), generator=generator)]
        return torch.cat((anywhere, occupied))
