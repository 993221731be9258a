"""How much U-Net work an objective asks for, counted without a U-Net; a sample is one latent in one forward pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from jsdpipe import objectives
from jsdpipe.base.seeding import generator
from jsdpipe.config.recipe import Recipe
from jsdpipe.objectives.base import Progress

PROBES = 50  # steps over the run that are counted
TIMESTEPS = 1000  # of Stable Diffusion's schedules
SHAPE = (1, 2, 2)  # of the latents


@dataclass(frozen=True)
class UNetWork:
    """Samples of one asset's step, a mean over its run: in forward passes, and in backward passes through a U-Net."""

    forward: float
    backward: float


def unet_work(recipe: Recipe) -> UNetWork:
    """Count the samples of a recipe's steps, at steps evenly spread over its run; the same for every asset."""
    views, probes = recipe.views_per_step, min(PROBES, recipe.steps)
    objective, guidance = objectives.build(recipe.objective), _Counting(bool(recipe.view_prompts.perp_neg))
    z = torch.zeros(views, *SHAPE)
    draws = [generator("budget", view) for view in range(views)]
    for probe in range(probes):
        objective(z, guidance, Progress(int((probe + 0.5) * recipe.steps / probes), recipe.steps), draws)
    return UNetWork(guidance.forward / probes, guidance.backward / probes)


class _Counting:
    """A `Guidance` that finds no noise, but counts."""

    timesteps = TIMESTEPS

    def __init__(self, perp_neg: bool) -> None:
        self.negatives = 2 if perp_neg else 0
        self.forward = self.backward = 0

    def alpha_bar(self, t: Tensor) -> Tensor:
        return torch.full(t.shape, 0.5)

    def predict_cfg(self, z: Tensor, t: Tensor, scale: float) -> Tensor:
        return self._noise(z, 2 + self.negatives)

    def predict_null_and_direction(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        noise = self._noise(z, 2 + self.negatives)
        return noise, noise

    def predict_text(self, z: Tensor, t: Tensor) -> Tensor:
        return self._noise(z, 1)

    def predict_pushed_text(self, z: Tensor, t: Tensor) -> Tensor:
        return self._noise(z, 1 + self.negatives)

    def predict_null(self, z: Tensor, t: Tensor) -> Tensor:
        return self._noise(z, 1)

    def predict_with_negative(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        noise = self._noise(z, 3 + self.negatives)
        return noise, noise, noise

    def predict_negative_and_direction(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return self.predict_null_and_direction(z, t)

    def first_of_asset(self, x: Tensor) -> Tensor:
        return x[:1].expand(len(x))

    def new_adapter(self, generators: Sequence[torch.Generator]) -> nn.Module:
        return nn.Linear(1, 1)

    def predict_with_adapter(self, adapter: Any, z: Tensor, t: Tensor, camera: Tensor) -> Tensor:
        return self._noise(z + 0 * adapter.bias, 1)

    def _noise(self, z: Tensor, samples: int) -> Tensor:
        """Zeros of z's shape by so many samples a latent."""
        self.forward += samples * len(z)
        noise: Tensor = _Pass.apply(z, self, samples * len(z))
        return noise


class _Pass(torch.autograd.Function):
    """A pass through a U-Net, and back if a gradient is asked for."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, counting: _Counting, samples: int) -> Tensor:
        ctx.counting, ctx.samples = counting, samples
        return torch.zeros_like(z)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        ctx.counting.backward += ctx.samples
        return gradients[0], None, None
