"""Jensen-Shannon score distillation (arXiv 2503.10660), as its public code computes it."""

from itertools import pairwise

import torch
from torch import Tensor

from jsdpipe.objectives.base import Generators, Guide, Output, add_noise, denoised, randn_like, spread
from jsdpipe.recipes.objectives import JSD


class JensenShannon:
    """Pulls z towards a high-density and, with weight k, a low-density ("minority") denoised estimate.

    z is inverted to timestep t (DDIM, at the inversion scale) and denoised to x_hd; x_hd is noised to t again and
    denoised to x_ld. The targets are constants; loss 0.5 MSE(z, x_hd) + k 0.5 MSE(z, x_ld). With k = 0 this is SDI
    (arXiv 2405.15891), and the second estimate is not computed.
    """

    def __init__(self, settings: JSD) -> None:
        self.settings = settings

    def __call__(self, z: Tensor, guide: Guide, progress: float, generators: Generators) -> Output:
        s = self.settings
        t = annealed_timestep(progress, s.t_range, guide.timesteps)
        level = torch.full((len(z),), t, device=z.device)
        a = guide.alpha(level)

        z_t = self._invert(z, guide, t, generators)
        high = denoised(z_t, guide(z_t, level, s.guidance_scale), a)
        gradient = z - high
        loss = 0.5 * gradient.square().mean((1, 2, 3))
        diagnostics = {"t": level, "high": loss}
        if s.k > 0:
            z_t = add_noise(high, randn_like(z, generators), a)
            low = denoised(z_t, guide(z_t, level, s.guidance_scale), a)
            gradient = gradient + s.k * (z - low)
            diagnostics["low"] = 0.5 * (z - low).square().mean((1, 2, 3))
            loss = loss + s.k * diagnostics["low"]
        return Output(gradient / z[0].numel(), loss, diagnostics)

    def _invert(self, z: Tensor, guide: Guide, t: int, generators: Generators) -> Tensor:
        """The latent noised from clean to about t by guided DDIM steps, with extra noise on top of each."""
        s = self.settings
        offsets = [float(torch.rand((), generator=g)) for g in generators]
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


def annealed_timestep(progress: float, t_range: tuple[float, float], timesteps: int) -> int:
    """The timestep after the share `progress` of all steps: falls linearly from the range's high to its low end."""
    low, high = t_range
    return min(int(timesteps * (high + (low - high) * progress)), timesteps - 1)


def inversion_timesteps(t: int, steps: int, timesteps: int, u: float) -> list[int]:
    """The inversion's levels: 1 - stride (clean), 1, 1 + stride, ... below t, then t + u stride, u in [0, 1)."""
    stride = timesteps // steps
    below = [level for level in range(1, 1 + steps * stride, stride) if level < t]
    return [1 - stride, *below, min(t + int(u * stride), timesteps - 1)]
