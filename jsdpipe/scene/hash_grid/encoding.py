"""Multi-resolution hash encoding (instant-ngp, arXiv 2201.05989, section 3).

The parameters have tiny-cuda-nn's layout everywhere, so that a scene made with it can be read without it: level after
level, entry after entry, an entry's features side by side.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from jsdpipe.base.device import cuda_package
from jsdpipe.scene.hash_grid.settings import HashGrid

PRIMES = (1, 2_654_435_761, 805_459_861)  # eq. 4
SPREAD = 1e-4  # of the first features, uniform


@dataclass(frozen=True)
class Level:
    """A grid of `resolution` points a side in a table of `entries`, hashed if those are fewer than the points.

    The unit cube is `scale` cells wide and begins half a cell from the first point.
    """

    scale: float
    resolution: int
    entries: int

    @property
    def hashed(self) -> bool:
        return self.resolution**3 > self.entries


def levels_of(settings: HashGrid) -> list[Level]:
    """The levels as tiny-cuda-nn cuts them: tables in multiples of 8 entries, at most 2^log2_table."""
    levels = []
    for level in range(settings.levels):
        scale = settings.base_resolution * settings.growth**level - 1
        resolution = math.ceil(scale) + 1
        levels.append(Level(scale, resolution, min(-(-(resolution**3) // 8) * 8, 2**settings.log2_table)))
    return levels


class HashEncoding(nn.Module):
    """Features (N, levels * features) at points (N, 3) of the unit cube; twice differentiable by the points.

    `table` is the one parameter, flat. On CUDA tiny-cuda-nn is used where it is installed.
    """

    def __init__(self, settings: HashGrid, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.levels = levels_of(settings)
        self.width = settings.levels * settings.features
        table = torch.empty(sum(level.entries for level in self.levels) * settings.features)
        self.table = nn.Parameter(table.uniform_(-SPREAD, SPREAD, generator=generator))
        self._native: list[Any] = []  # in a list, so that its parameters are not this module's a second time

    def forward(self, points: Tensor) -> Tensor:
        points = points.clamp(0, 1)
        tinycudann = cuda_package("tinycudann", points.device.type)
        if tinycudann is not None and len(points):
            return self._by(tinycudann)(points)
        tables = self.table.view(-1, self.settings.features).split([level.entries for level in self.levels])
        return torch.cat([_look_up(points, t, level) for t, level in zip(tables, self.levels, strict=True)], dim=1)

    def _by(self, tinycudann: Any) -> Any:
        """tiny-cuda-nn's encoding, on this module's parameter."""
        if not self._native:
            config = {
                "otype": "HashGrid",
                "n_levels": self.settings.levels,
                "n_features_per_level": self.settings.features,
                "log2_hashmap_size": self.settings.log2_table,
                "base_resolution": self.settings.base_resolution,
                "per_level_scale": self.settings.growth,
            }
            self._native.append(tinycudann.Encoding(3, config, dtype=torch.float32))
        (native,) = self._native
        native.params = self.table
        return native


def _look_up(points: Tensor, table: Tensor, level: Level) -> Tensor:
    """Features (N, F) at points (N, 3), trilinear between the eight corners of their cells, of a table (T, F)."""
    position = points * level.scale + 0.5
    cell = position.detach().floor()
    far = position - cell  # (N, 3)
    shares = torch.stack((1 - far, far), dim=2)  # (N, 3, 2)
    corners = torch.stack((cell, cell + 1), dim=2).long()
    weights, indices = [], []
    for x, y, z in itertools.product((0, 1), repeat=3):
        weights.append(shares[:, 0, x] * shares[:, 1, y] * shares[:, 2, z])
        indices.append(_index(corners[:, 0, x], corners[:, 1, y], corners[:, 2, z], level))
    # 32 bits, as they are kept for the gradient; `embedding`, as its gradient is the same in every run, on GPUs too
    features = embedding(torch.stack(indices, dim=1).int(), table)  # (N, 8, F)
    return (torch.stack(weights, dim=1)[:, :, None] * features).sum(dim=1)


def _index(x: Tensor, y: Tensor, z: Tensor, level: Level) -> Tensor:
    """A grid point's entry in its level's table; the far sides of the cube wrap around, as in tiny-cuda-nn."""
    if level.hashed:
        hashed = (x * PRIMES[0]) ^ (y * PRIMES[1]) ^ (z * PRIMES[2])
        return (hashed & 0xFFFF_FFFF) % level.entries
    return (x + level.resolution * (y + level.resolution * z)) % level.entries
