"""What an objective is: rendered latents and a guided denoiser in, a gradient on the latents out.

Notation: z a clean latent, a the cumulative alpha of a timestep, z_t = sqrt(a) z + sqrt(1 - a) eps, e predicted noise.
An item's result depends on that item and its own generator alone, so a batch gives what its items give one by one.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from jsdpipe.base.schedules import Schedule, value_at

Generators = Sequence[torch.Generator]


class Guide(Protocol):
    """A frozen denoiser bound to a batch of B prompts and views.

    It predicts noise (B, C, h, w) in noised latents z (B, C, h, w) at timesteps t (B,).
    """

    @property
    def timesteps(self) -> int:
        """How many timesteps the schedule has."""

    def alpha(self, t: Tensor) -> Tensor:
        """Cumulative alpha (B,) at timesteps t (B,); at negative ones, where inversion starts, the scheduler's own."""

    def __call__(self, z: Tensor, t: Tensor, scale: float) -> Tensor:
        """Guided noise prediction e_null + scale * D (B, C, h, w)."""

    def parts(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """e_null and the guidance direction D = e_text - e_null, to which Perp-Neg adds its pushes."""

    def text(self, z: Tensor, t: Tensor) -> Tensor:
        """e_text, without guidance."""

    def null(self, z: Tensor, t: Tensor) -> Tensor:
        """e_null, unconditional."""

    def against(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`parts`, and e_neg of the objective's own negative prompt."""

    def adapter(self, generators: Generators) -> nn.Module:
        """A new trainable adapter an asset, drawn from its first item's generator; untrained it changes nothing."""

    def adapted(self, adapter: Any, z: Tensor, t: Tensor, camera: Tensor) -> Tensor:
        """e_phi: the adapter's prediction by the text alone, told the camera where `camera` (B,) is true."""


@dataclass(frozen=True)
class Clock:
    """How far a run is: `step` of `steps`, from 0."""

    step: int
    steps: int

    @property
    def progress(self) -> float:
        """The share of steps done, in [0, 1)."""
        return self.step / self.steps


@dataclass(frozen=True)
class Output:
    """The gradient (B, C, h, w) of each item's loss on its latent, that loss (B,), and numbers (B,) worth recording."""

    gradient: Tensor
    loss: Tensor
    diagnostics: dict[str, Tensor]


class Objective(ABC):
    """A score distillation objective; what it trains beside the scene, if anything, is its own `state`."""

    @abstractmethod
    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        """The gradient at latents z (B, C, h, w); item i draws from generator i alone."""

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint must hold of the objective, beside its settings."""
        return {}

    def load_state_dict(  # noqa: B027, most objectives have no state
        self, state: dict[str, Tensor], guide: Guide, generators: Generators
    ) -> None:
        """Go on from what `state_dict` gave; the generators are set to where they were by the caller, afterwards."""


def residual(gradient: Tensor, **diagnostics: Tensor) -> Output:
    """The output of a gradient g that is stated directly: that of 0.5 MSE(z, (z - g).detach()), a mean as JSD's loss.

    Public codes of the others sum over an item's elements. The mean gives a regularizer's weight the same meaning
    beside every objective, and Adam does not see a common factor.
    """
    return Output(gradient / gradient[0].numel(), 0.5 * gradient.square().mean((1, 2, 3)), diagnostics)


def random_timestep(
    t_range: tuple[Schedule, Schedule], clock: Clock, timesteps: int, generators: Generators, device: torch.device
) -> Tensor:
    """Timesteps (B,), uniform over the integers of a range of the schedule, item i's from generator i."""
    low, high = (min(int(value_at(end, clock.step) * timesteps), timesteps - 1) for end in t_range)
    return torch.stack([torch.randint(low, high + 1, (), generator=g) for g in generators]).to(device)


def randn_like(z: Tensor, generators: Generators) -> Tensor:
    """Normal noise of z's shape (B, ...), item i from (CPU) generator i."""
    return torch.stack([torch.randn(z.shape[1:], generator=g) for g in generators]).to(z.device)


def rand(generators: Generators, device: torch.device) -> Tensor:
    """Uniform numbers (B,) in [0, 1), item i from (CPU) generator i."""
    return torch.stack([torch.rand((), generator=g) for g in generators]).to(device)


def spread(x: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1), to go with latents."""
    return x[:, None, None, None]


def add_noise(z: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    """z_t = sqrt(a) z + sqrt(1 - a) noise, with cumulative alpha a (B,)."""
    return spread(a.sqrt()) * z + spread((1 - a).sqrt()) * noise


def denoised(z_t: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    """The one-step estimate (z_t - sqrt(1 - a) noise) / sqrt(a) of the clean latent, with cumulative alpha a (B,)."""
    return (z_t - spread((1 - a).sqrt()) * noise) / spread(a.sqrt())
