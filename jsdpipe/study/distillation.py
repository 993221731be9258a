"""Part B: the registry's objectives move particles, with an exact denoiser in place of the network."""

from typing import Any

import torch
from torch import Tensor, nn

from jsdpipe import objectives
from jsdpipe.base.seeding import generator
from jsdpipe.objectives.base import Generators, Progress
from jsdpipe.study.generators import START, adam
from jsdpipe.study.mixtures import Mixture
from jsdpipe.study.targets import NEGATIVE, UNCONDITIONAL, Target

WIDTH = 64  # of the adapter's hidden layers


class Correction(nn.Module):
    """A small network c(z_t, a) (B, 2), zero at the start; VSD's adapter predicts e_text + c."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        first, second, last = nn.Linear(4, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2)
        for layer in (first, second):
            bound = layer.in_features**-0.5  # torch's default, but drawn from a generator
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.layers = nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), last)

    def forward(self, x: Tensor, a: Tensor) -> Tensor:
        """The correction (B, 2) at points (B, 2) noised to cumulative alphas (B,)."""
        out: Tensor = self.layers(torch.cat([x, a.sqrt()[:, None], (1 - a).sqrt()[:, None]], 1))
        return out


class ExactGuidance:
    """A `Guide` with exact noise predictions; latents are particles (B, 2, 1, 1).

    The mixture `target` takes the text's place, and two fixed mixtures those of the empty and the negative prompt. The
    schedule is Stable Diffusion's: 1000 betas, linear in their square roots; the first timestep's alpha also holds
    before it (`set_alpha_to_one: false`). All particles share one adapter, which ignores cameras, so it learns the
    density of the whole cloud.
    """

    timesteps = 1000

    def __init__(self, target: Mixture) -> None:
        self.target = target
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, self.timesteps, dtype=torch.float64).square()
        self._alphas = (1 - betas).cumprod(0)

    def alpha_bar(self, t: Tensor) -> Tensor:
        return self._alphas[t.clamp(min=0)].float()

    def predict_cfg(self, z: Tensor, t: Tensor, scale: float) -> Tensor:
        null, direction = self.predict_null_and_direction(z, t)
        return null + scale * direction

    def predict_null_and_direction(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        null = self.predict_null(z, t)
        return null, self.predict_text(z, t) - null

    def predict_text(self, z: Tensor, t: Tensor) -> Tensor:
        return self._noise(self.target, z, t)

    def predict_pushed_text(self, z: Tensor, t: Tensor) -> Tensor:
        return self.predict_text(z, t)

    def predict_null(self, z: Tensor, t: Tensor) -> Tensor:
        return self._noise(UNCONDITIONAL, z, t)

    def predict_with_negative(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return *self.predict_null_and_direction(z, t), self._noise(NEGATIVE, z, t)

    def predict_negative_and_direction(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        negative = self._noise(NEGATIVE, z, t)
        return negative, self.predict_text(z, t) - negative

    def first_of_asset(self, x: Tensor) -> Tensor:
        return x  # each particle is an asset of its own

    def new_adapter(self, generators: Generators) -> Correction:
        return Correction(generators[0])

    def predict_with_adapter(self, adapter: Correction, z: Tensor, t: Tensor, camera: Tensor) -> Tensor:
        return self.predict_text(z, t) + adapter(z.flatten(1), self.alpha_bar(t)).view_as(z)

    def _noise(self, mixture: Mixture, z: Tensor, t: Tensor) -> Tensor:
        return mixture.noise(z.flatten(1).double(), self._alphas[t.clamp(min=0)]).view_as(z).to(z.dtype)


def distill(settings: Any, target: Target, steps: int, count: int, seed: int) -> Tensor:
    """Move particles by the objective's gradient for `steps`; returns them (count, 2).

    Each particle's start and draws are named by the target and its number, so all objectives see the same.
    """
    draws = [generator(seed, "study", "distillation", target.name, number) for number in range(count)]
    z = START * torch.stack([torch.randn(2, 1, 1, generator=g) for g in draws])
    optimizer = adam([z])
    objective, guidance = objectives.build(settings), ExactGuidance(target.mixture)
    for step in range(steps):
        z.grad = objective(z, guidance, Progress(step, steps), draws).gradient
        optimizer.step()
    return z.flatten(1).double()
