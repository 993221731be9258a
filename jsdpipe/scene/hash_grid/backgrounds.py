"""What is behind the object: one colour, or an environment map."""

import torch
from torch import Tensor, nn

from jsdpipe.scene.hash_grid.encoding import HashEncoding
from jsdpipe.scene.hash_grid.networks import network
from jsdpipe.scene.hash_grid.settings import Background, HashGridBackground, SphericalHarmonicsBackground
from jsdpipe.scene.hash_grid.spherical_harmonics import COUNT, spherical_harmonics

HIDDEN, LAYERS = 16, 2  # of the environment maps' networks


class Solid(nn.Module):
    """One learnt colour (N, 3) in [0, 1] for directions (N, 3); grey at first."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = nn.Parameter(torch.zeros(3))

    def forward(self, directions: Tensor) -> Tensor:
        return torch.sigmoid(self.colour).expand(len(directions), 3)


class SphericalHarmonicsMap(nn.Module):
    """Colours (N, 3) in [0, 1] of unit directions (N, 3), from nine spherical harmonics."""

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.network = network(COUNT, HIDDEN, LAYERS, 3, generator)

    def forward(self, directions: Tensor) -> Tensor:
        return torch.sigmoid(self.network(spherical_harmonics(directions)))


class HashGridMap(nn.Module):
    """Colours (N, 3) in [0, 1] of unit directions (N, 3), from a hash grid over the cube that holds them."""

    def __init__(self, settings: HashGridBackground, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.encoding = HashEncoding(settings.encoding, generator)
        self.network = network(self.encoding.width, HIDDEN, LAYERS, 3, generator)

    def forward(self, directions: Tensor) -> Tensor:
        return torch.sigmoid(self.network(self.encoding((directions + 1) / 2)))


def build_background(settings: Background, generator: torch.Generator | None = None) -> nn.Module:
    """The background that the settings describe, its first parameters drawn from the generator."""
    if isinstance(settings, HashGridBackground):
        return HashGridMap(settings, generator)
    if isinstance(settings, SphericalHarmonicsBackground):
        return SphericalHarmonicsMap(generator)
    return Solid()


def random_colours(probability: float, views: int, generator: torch.Generator) -> Tensor | None:
    """With this probability, a uniform colour a view (views, 3) to take the background's place; else None."""
    chance = torch.rand((), generator=generator)
    colours = torch.rand(views, 3, generator=generator)
    return colours if chance < probability else None
