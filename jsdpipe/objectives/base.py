"""What an objective is: rendered latents and a guided denoiser in, a gradient on the latents out.

Notation: z a clean latent, a the cumulative alpha of a timestep, z_t = sqrt(a) z + sqrt(1 - a) eps, e predicted noise.
An item's result depends on that item and its own generator alone, so a batch gives what its items give one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Generators = Sequence[torch.Generator]


class Guide(Protocol):
    """A frozen denoiser bound to a batch of B prompts and views."""

    @property
    def timesteps(self) -> int:
        """How many timesteps the schedule has."""

    def alpha(self, t: Tensor) -> Tensor:
        """Cumulative alpha (B,) at timesteps t (B,); 1 at negative ones."""

    def __call__(self, z: Tensor, t: Tensor, scale: float) -> Tensor:
        """Guided noise prediction e_null + scale * (e_text - e_null) (B, C, h, w) in z at t (B,)."""


@dataclass(frozen=True)
class Output:
    """The gradient (B, C, h, w) of each item's loss on its latent, that loss (B,), and numbers (B,) worth recording."""

    gradient: Tensor
    loss: Tensor
    diagnostics: dict[str, Tensor]


class Objective(Protocol):
    """A score distillation objective."""

    def __call__(self, z: Tensor, guide: Guide, progress: float, generators: Generators) -> Output:
        """The gradient at latents z (B, C, h, w) after the share `progress` of steps; item i draws from generator i."""


def randn_like(z: Tensor, generators: Generators) -> Tensor:
    """Normal noise of z's shape (B, ...), item i from (CPU) generator i."""
    return torch.stack([torch.randn(z.shape[1:], generator=g) for g in generators]).to(z.device)


def spread(x: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1), to go with latents."""
    return x[:, None, None, None]


def add_noise(z: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    """z_t = sqrt(a) z + sqrt(1 - a) noise, with cumulative alpha a (B,)."""
    return spread(a.sqrt()) * z + spread((1 - a).sqrt()) * noise


def denoised(z_t: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    """The one-step estimate (z_t - sqrt(1 - a) noise) / sqrt(a) of the clean latent, with cumulative alpha a (B,)."""
    return (z_t - spread((1 - a).sqrt()) * noise) / spread(a.sqrt())
