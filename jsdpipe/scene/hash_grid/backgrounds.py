"""Backgrounds: one color, or an environment map; in training at times random colors instead."""

import math

import torch
from torch import Tensor, nn

from jsdpipe.scene.hash_grid.encoding import HashEncoding, mlp
from jsdpipe.scene.hash_grid.settings import Background, HashGridBackground, SphericalHarmonicsBackground

HIDDEN, LAYERS = 16, 2  # of the environment maps' networks
HARMONICS = 9


class Solid(nn.Module):
    """One learned color (N, 3) in [0, 1] for directions (N, 3); gray at first."""

    def __init__(self) -> None:
        super().__init__()
        self.color = nn.Parameter(torch.zeros(3))

    def forward(self, directions: Tensor) -> Tensor:
        return torch.sigmoid(self.color).expand(len(directions), 3)


class SphericalHarmonicsMap(nn.Module):
    """Colors (N, 3) in [0, 1] of unit directions (N, 3), from nine spherical harmonics."""

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.network = mlp(HARMONICS, HIDDEN, LAYERS, 3, generator)

    def forward(self, directions: Tensor) -> Tensor:
        return torch.sigmoid(self.network(spherical_harmonics(directions)))


class HashGridMap(nn.Module):
    """Colors (N, 3) in [0, 1] of unit directions (N, 3), from a hash grid over the cube [-1, 1]^3."""

    def __init__(self, settings: HashGridBackground, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.encoding = HashEncoding(settings.encoding, generator)
        self.network = mlp(self.encoding.width, HIDDEN, LAYERS, 3, generator)

    def forward(self, directions: Tensor) -> Tensor:
        return torch.sigmoid(self.network(self.encoding((directions + 1) / 2)))


def build_background(settings: Background, generator: torch.Generator | None = None) -> nn.Module:
    """The background that the settings describe, its initial parameters drawn from the generator."""
    if isinstance(settings, HashGridBackground):
        return HashGridMap(settings, generator)
    if isinstance(settings, SphericalHarmonicsBackground):
        return SphericalHarmonicsMap(generator)
    return Solid()


def random_colors(probability: float, views: int, generator: torch.Generator) -> Tensor | None:
    """With this probability one uniform color for each view (views, 3), to replace the background; else None."""
    chance = torch.rand((), generator=generator)
    colors = torch.rand(views, 3, generator=generator)
    return colors if chance < probability else None


def spherical_harmonics(directions: Tensor) -> Tensor:
    """The nine real orthonormal harmonics of degree 0, 1 and 2 (..., 9) at unit directions (..., 3).

    In this order, each times a positive constant: 1; y, z, x; xy, yz, 3 z^2 - 1, xz, x^2 - y^2.
    """
    x, y, z = directions.unbind(dim=-1)
    one, two = math.sqrt(3 / (4 * math.pi)), math.sqrt(15 / (4 * math.pi))
    return torch.stack(
        (
            torch.full_like(x, math.sqrt(1 / (4 * math.pi))),
            one * y,
            one * z,
            one * x,
            two * x * y,
            two * y * z,
            math.sqrt(5 / (16 * math.pi)) * (3 * z * z - 1),
            two * x * z,
            two / 2 * (x * x - y * y),
        ),
        dim=-1,
    )
