"""Multi-resolution hash encoding and the small networks on it (instant-ngp, arXiv 2201.05989, section 3).

The table has tiny-cuda-nn's layout, so that scenes can be exchanged with codes that use it: level after level, entry
after entry, an entry's features side by side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad

from jsdpipe.base.device import has_triton
from jsdpipe.scene.hash_grid.settings import FieldHashGrid, HashGrid

PRIMES = (1, 2_654_435_761, 805_459_861)  # eq. 4
SPREAD = 1e-4  # the initial features are uniform in +-SPREAD


@dataclass(frozen=True)
class Level:
    """A grid of `resolution` points a side, stored in `entries` entries; hashed if there are fewer of those.

    The unit cube is `scale` cells wide and begins half a cell from the first point.
    """

    scale: float
    resolution: int
    entries: int

    @property
    def hashed(self) -> bool:
        return self.resolution**3 > self.entries


def levels_of(settings: HashGrid) -> list[Level]:
    """The levels as in tiny-cuda-nn: tables of multiples of 8 entries, at most 2^log2_table."""
    levels = []
    for level in range(settings.levels):
        scale = settings.base_resolution * settings.growth**level - 1
        resolution = math.ceil(scale) + 1
        levels.append(Level(scale, resolution, min(-(-(resolution**3) // 8) * 8, 2**settings.log2_table)))
    return levels


def levels_open_at(settings: FieldHashGrid, step: int) -> int:
    """How many levels are open at a training step."""
    if settings.progressive is None:
        return settings.levels
    p = settings.progressive
    return min(p.start_level + max(step - p.start_step, 0) // p.every, settings.levels)


class HashEncoding(nn.Module):
    """Features (N, levels * features) at points (N, 3) of the unit cube; twice differentiable by the points.

    The flat `table` is the only parameter. Levels from `open_levels` on give zeros. On CUDA Triton's kernels are used.
    """

    def __init__(self, settings: HashGrid, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.levels = levels_of(settings)
        self.width = settings.levels * settings.features
        self.open_levels = settings.levels
        table = torch.empty(sum(level.entries for level in self.levels) * settings.features)
        self.table = nn.Parameter(table.uniform_(-SPREAD, SPREAD, generator=generator))

    def forward(self, points: Tensor) -> Tensor:
        points = points.clamp(0, 1)
        width = self.open_levels * self.settings.features
        table, levels = self.table.view(-1, self.settings.features), self.levels[: self.open_levels]
        if has_triton(points.device.type):
            from jsdpipe.scene.kernels import hash_encoding  # PyTorch for CPUs comes without Triton

            features = hash_encoding.encode(points, table, levels)
        else:
            features = encode(points, table, levels)
        return features if width == self.width else pad(features, (0, self.width - width))

    def open_table(self) -> Tensor:
        """The table with zeros in closed levels: with all levels open it gives the same features."""
        if self.open_levels == self.settings.levels:
            return self.table
        table = self.table.detach().clone()
        table[sum(level.entries for level in self.levels[: self.open_levels]) * self.settings.features :] = 0
        return table


def encode(points: Tensor, table: Tensor, levels: Sequence[Level]) -> Tensor:
    """Features (N, len(levels) * F) at points (N, 3) of the unit cube from a table (T, F) of these levels, or more."""
    sizes = [level.entries for level in levels]
    tables = table.split([*sizes, len(table) - sum(sizes)])[:-1]
    return torch.cat([_interpolate(points, *each) for each in zip(tables, levels, strict=True)], dim=1)


def _interpolate(points: Tensor, table: Tensor, level: Level) -> Tensor:
    """Features (N, F) at points (N, 3) from a table (T, F), trilinear between the eight corners of their cells."""
    position = points * level.scale + 0.5
    cell = position.detach().floor()
    far = position - cell  # (N, 3)
    x, y, z = _by_axis(torch.stack((1 - far, far), dim=2))
    weights = (x * y * z).flatten(1)  # (N, 8)
    index = _index(*_by_axis(torch.stack((cell, cell + 1), dim=2).long()), level)
    # int32, because autograd keeps them; `embedding`, because its gradient is deterministic, also on a GPU
    features = embedding(index.flatten(1).int(), table)  # (N, 8, F)
    return (weights[:, :, None] * features).sum(dim=1)


def _by_axis(of_cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What belongs to a cell's two sides along x, y and z (N, 3, 2), to be combined to its corners (N, 2, 2, 2)."""
    x, y, z = of_cell.unbind(dim=1)
    return x[:, :, None, None], y[:, None, :, None], z[:, None, None, :]


def _index(x: Tensor, y: Tensor, z: Tensor, level: Level) -> Tensor:
    """Entries of grid points in their level's table; the cube's far sides wrap around, as in tiny-cuda-nn."""
    if level.hashed:
        hashed = (x * PRIMES[0]) ^ (y * PRIMES[1]) ^ (z * PRIMES[2])
        return (hashed & 0xFFFF_FFFF) % level.entries
    return (x + level.resolution * (y + level.resolution * z)) % level.entries


def mlp(inputs: int, hidden: int, layers: int, outputs: int, generator: torch.Generator | None = None) -> nn.Sequential:
    """A perceptron (N, inputs) -> (N, outputs) with `layers` hidden layers of width `hidden`, ReLU, and no biases.

    The initial weights are uniform in +-1 / sqrt(inputs of their layer).
    """
    widths = [inputs, *[hidden] * layers, outputs]
    modules: list[nn.Module] = []
    for width, following in pairwise(widths):
        linear = nn.Linear(width, following, bias=False)
        bound = 1 / math.sqrt(width)
        nn.init.uniform_(linear.weight, -bound, bound, generator)
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])
