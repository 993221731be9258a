"""What an objective is: rendered latents and guided noise predictions in, a gradient on the latents out.

Notation: z is a clean latent, a (alpha-bar) the cumulative product of a timestep's alphas, e predicted noise, and
z_t = sqrt(a) z + sqrt(1 - a) eps. Latents have the shape (B, C, h, w), timesteps (B,).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from jsdpipe.base.device import to_device
from jsdpipe.base.errors import UserError
from jsdpipe.base.schedules import Schedule, value_at
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.settings import ObjectiveSettings

Generators = Sequence[torch.Generator]


class Guidance(Protocol):
    """A frozen denoiser bound to a batch of B prompts and views.

    It predicts the noise (B, C, h, w) in noised latents z (B, C, h, w) at timesteps t (B,), differentiable in z.
    """

    @property
    def timesteps(self) -> int:
        """How many timesteps the schedule has."""

    def alpha_bar(self, t: Tensor) -> Tensor:
        """Cumulative alphas (B,) at timesteps t (B,); at negative ones, where inversion starts, the scheduler's own."""

    def predict_cfg(self, z: Tensor, t: Tensor, scale: float) -> Tensor:
        """Classifier-free guidance: e_null + scale * D, with D of `predict_null_and_direction`."""

    def predict_null_and_direction(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """e_null and the direction D = e_text - e_null, to which Perp-Neg adds pushes away from wrong views."""

    def predict_text(self, z: Tensor, t: Tensor) -> Tensor:
        """e_text: the noise by the prompt, without guidance."""

    def predict_pushed_text(self, z: Tensor, t: Tensor) -> Tensor:
        """e_text, to which Perp-Neg adds pushes away from wrong views, without looking at e_null."""

    def predict_null(self, z: Tensor, t: Tensor) -> Tensor:
        """e_null: the noise by the empty prompt."""

    def predict_with_negative(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """e_null, D, and e_neg by the objective's `negative_prompt`."""

    def predict_negative_and_direction(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """e_neg and the direction e_text - e_neg, to which Perp-Neg adds pushes, as seen from e_neg."""

    def first_of_asset(self, x: Tensor) -> Tensor:
        """x (B,), on the CPU, with the number of each asset's first item (view) in place of its others'."""

    def new_adapter(self, generators: Generators) -> nn.Module:
        """A trainable adapter for each asset, drawn from its first item's generator; untrained it changes nothing."""

    def predict_with_adapter(self, adapter: Any, z: Tensor, t: Tensor, camera: Tensor) -> Tensor:
        """e_phi: the adapter's noise by the prompt, told the camera where `camera` (B,) is true."""


@dataclass(frozen=True)
class Progress:
    """How far a run is: in `step`, from 0, of `steps`."""

    step: int
    steps: int

    @property
    def fraction(self) -> float:
        """The share of the steps that are done, in [0, 1)."""
        return self.step / self.steps


@dataclass(frozen=True)
class Output:
    """The gradient (B, C, h, w) of each item's loss on its latent, that loss (B,), and numbers (B,) worth recording."""

    gradient: Tensor
    loss: Tensor
    diagnostics: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def from_gradient(cls, gradient: Tensor, **diagnostics: Tensor) -> "Output":
        """Of a gradient g (B, C, h, w) that is stated directly: that of the loss 0.5 MSE(z, (z - g).detach()).

        MSE is a mean over an item's elements, as in JSD's loss; most public codes sum, as a recipe's `reduction: sum`
        does. The mean makes this factor equal for all objectives, not the sizes of their gradients.
        """
        return cls(gradient / gradient[0].numel(), 0.5 * gradient.square().mean((1, 2, 3)), diagnostics)

    @classmethod
    def toward_target(cls, z: Tensor, target: Tensor, **diagnostics: Tensor) -> "Output":
        """Of the loss 0.5 MSE(z, target) with a constant target (B, C, h, w)."""
        return cls.from_gradient(z - target, **diagnostics)


class Objective(ABC):
    """A score distillation objective. A subclass states its `Settings` and computes the gradient.

    An asset's result depends on its own items (views) and their generators alone, so that a batch gives what its assets
    give one by one. An objective that trains something of its own keeps it in itself.
    """

    Settings: type[ObjectiveSettings] = ObjectiveSettings

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def __init_subclass__(cls) -> None:
        if not issubclass(cls.Settings, ObjectiveSettings):
            raise TypeError(f"{cls.__name__}.Settings must be a subclass of ObjectiveSettings")

    @property
    def negative_prompt(self) -> str | None:
        """What e_neg is predicted by, for all views alike: the settings' `negative_prompt`, None if they have none."""
        return getattr(self.settings, "negative_prompt", None)

    @abstractmethod
    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        """The gradient at latents z (B, C, h, w); item i draws from (CPU) generator i alone."""

    def __call__(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        """As `compute`; `UserError` if that returns no `Output`, or one whose shapes are wrong."""
        output = self.compute(z, guidance, progress, generators)
        if fault := _fault(output, z):
            kind = self.settings.kind
            raise UserError(f"{OBJECTIVES.root(kind)}: objective {kind!r}: compute returned {fault}")
        return output

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint must hold of the objective, besides its settings."""
        return {}

    def load_state_dict(  # noqa: B027, most objectives have no state
        self, state: dict[str, Tensor], guidance: Guidance, generators: Generators
    ) -> None:
        """Go on from what `state_dict` gave; the caller then sets the generators to where they were."""


def _fault(output: Any, z: Tensor) -> str | None:
    """What is wrong with what an objective returned for latents z; None if nothing is."""
    if not isinstance(output, Output):
        return f"{type(output).__name__}; return Output"
    expected = {"gradient": (output.gradient, z.shape), "loss": (output.loss, z.shape[:1])}
    expected |= {f"diagnostic {name!r}": (value, z.shape[:1]) for name, value in output.diagnostics.items()}
    for name, (value, shape) in expected.items():
        found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        if found != tuple(shape):
            return f"{found} as its {name}; return a tensor of shape {tuple(shape)}"
    return None


def random_timestep(
    t_range: tuple[Schedule, Schedule],
    progress: Progress,
    timesteps: int,
    generators: Generators,
    device: torch.device,
    first: int = 0,
) -> Tensor:
    """Timesteps (B,), uniform over the integers of a range of the schedule, item i's from generator i.

    With `first` = 1 the low end is left out, as in codes that count an index from 0, without its upper end, and add 1.
    """
    low, high = (min(int(value_at(end, progress.step) * timesteps), timesteps - 1) for end in t_range)
    high = max(high, first)
    low = min(low + first, high)
    return to_device(torch.stack([torch.randint(low, high + 1, (), generator=g) for g in generators]), device)


def randn_like(z: Tensor, generators: Generators) -> Tensor:
    """Normal noise of z's shape (B, ...), item i's from (CPU) generator i."""
    return to_device(_randn(z.shape[1:], generators), z.device)


def randn_of_steps(steps: int, z: Tensor, generators: Generators) -> Tensor:
    """`randn_like` of several steps (steps, B, ...), drawn and sent ahead."""
    return to_device(torch.stack([_randn(z.shape[1:], generators) for _ in range(steps)]), z.device)


def _randn(shape: torch.Size, generators: Generators) -> Tensor:
    return torch.stack([torch.randn(shape, generator=g) for g in generators])


def rand(generators: Generators, device: torch.device) -> Tensor:
    """Uniform numbers (B,) in [0, 1), item i's from (CPU) generator i."""
    return to_device(torch.stack([torch.rand((), generator=g) for g in generators]), device)


def per_item(x: Tensor) -> Tensor:
    """Numbers (..., B) as (..., B, 1, 1, 1), to multiply latents by."""
    return x.reshape(*x.shape, 1, 1, 1)


def add_noise(z: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    """z_t = sqrt(a) z + sqrt(1 - a) noise, with cumulative alphas a (B,)."""
    return per_item(a.sqrt()) * z + per_item((1 - a).sqrt()) * noise


def denoised(z_t: Tensor, noise: Tensor, a: Tensor) -> Tensor:
    """The one-step estimate (z_t - sqrt(1 - a) noise) / sqrt(a) of the clean latent, with cumulative alphas a (B,)."""
    return (z_t - per_item((1 - a).sqrt()) * noise) / per_item(a.sqrt())
