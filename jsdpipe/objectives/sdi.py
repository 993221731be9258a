"""Score distillation via inversion (arXiv 2405.15891), as its public code computes it."""

from itertools import pairwise

import torch
from torch import Tensor

from jsdpipe.config.objectives import SDI
from jsdpipe.objectives.base import (
    Clock,
    Generators,
    Guide,
    Objective,
    Output,
    add_noise,
    denoised,
    rand,
    randn_like,
    spread,
)


class Inversion(Objective):
    """Pulls z towards x_hd: z, inverted to timestep t (DDIM, at the inversion scale), then denoised in one step.

    The target is constant; loss 0.5 MSE(z, x_hd). t falls linearly over the run.
    """

    def __init__(self, settings: SDI) -> None:
        self.settings = settings

    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        t = annealed_timestep(clock.progress, self.settings.t_range, guide.timesteps)
        level = torch.full((len(z),), t, device=z.device)
        return towards(z, self.estimate(z, guide, t, generators), t=level)

    def estimate(self, z: Tensor, guide: Guide, t: int, generators: Generators) -> Tensor:
        """The denoised estimate x_hd (B, C, h, w) of z's inversion to timestep t."""
        z_t = self._invert(z, guide, t, generators)
        return self.denoise(z_t, guide, t)

    def denoise(self, z_t: Tensor, guide: Guide, t: int) -> Tensor:
        """The one-step estimate of the clean latent in z_t at timestep t, at the guidance scale."""
        level = torch.full((len(z_t),), t, device=z_t.device)
        return denoised(z_t, guide(z_t, level, self.settings.guidance_scale), guide.alpha(level))

    def _invert(self, z: Tensor, guide: Guide, t: int, generators: Generators) -> Tensor:
        """The latent noised from clean to about t by guided DDIM steps, with extra noise on top of each."""
        s = self.settings
        offsets = rand(generators, torch.device("cpu")).tolist()
        lists = [inversion_timesteps(t, s.inversion_steps, guide.timesteps, u) for u in offsets]
        levels = torch.tensor(lists, device=z.device).T  # (steps + 1, B)
        for here, there in pairwise(levels):
            a, a_next = guide.alpha(here), guide.alpha(there)
            asked = here.clamp(min=0) if s.clamp_first_timestep else here
            noise = guide(z, asked, s.inversion_scale)
            z = add_noise(denoised(z, noise, a), noise, a_next)
            # DDIM's variance between the two levels; the direction is not shortened for it
            sigma = ((1 - a) / (1 - a_next) * (1 - a_next / a)).clamp(min=0).sqrt()
            z = z + spread(s.inversion_eta * sigma) * randn_like(z, generators)
        return z


def towards(z: Tensor, target: Tensor, **diagnostics: Tensor) -> Output:
    """The output of the loss 0.5 MSE(z, target) with a constant target, the mean over an item's elements."""
    gap = z - target
    return Output(gap / z[0].numel(), 0.5 * gap.square().mean((1, 2, 3)), diagnostics)


def annealed_timestep(progress: float, t_range: tuple[float, float], timesteps: int) -> int:
    """The timestep after the share `progress` of all steps: falls linearly from the range's high to its low end.

    In the public code's order of operations, on which the rounding of whole numbers hangs.
    """
    low, high = t_range
    return min(int(timesteps * ((high - low) * (1 - progress) + low)), timesteps - 1)


def inversion_timesteps(t: int, steps: int, timesteps: int, u: float) -> list[int]:
    """The inversion's levels: 1 - stride (clean), 1, 1 + stride, ... below t, then t + u stride, u in [0, 1)."""
    stride = timesteps // steps
    below = [level for level in range(1, 1 + steps * stride, stride) if level < t]
    return [1 - stride, *below, min(t + int(u * stride), timesteps - 1)]
