"""Score distillation via inversion (arXiv 2405.15891), as its public code computes it."""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from jsdpipe.base.device import to_device
from jsdpipe.base.fields import Factor
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import (
    Generators,
    Guidance,
    Objective,
    Output,
    Progress,
    denoised,
    per_item,
    rand,
    randn_of_steps,
)
from jsdpipe.objectives.settings import FallingRange, GuidanceScale, ObjectiveSettings, Scale


@OBJECTIVES.register("sdi")
class Inversion(Objective):
    """Draws z to x_hd: z is inverted to timestep t by DDIM at the inversion scale, and denoised in one step.

    The loss is 0.5 MSE(z, x_hd), with x_hd constant. t falls linearly over the run.
    """

    class Settings(ObjectiveSettings):
        guidance_scale: GuidanceScale
        inversion_scale: Scale = Field(description="scale of the DDIM inversion; negative in the public code")
        inversion_steps: Annotated[int, Field(ge=1, le=1000, description="nominal steps over the whole schedule")]
        inversion_eta: Factor = Field(description="extra noise a step, in units of the DDIM deviation")
        clamp_first_timestep: bool = Field(
            default=False, description="ask the U-Net at 0 where the public code asks at a negative timestep"
        )
        t_range: FallingRange

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        t = annealed_timestep(progress.fraction, self.settings.t_range, guidance.timesteps)
        level = torch.full((len(z),), t, device=z.device)
        return Output.toward_target(z, self.estimate(z, guidance, t, generators), t=level)

    def estimate(self, z: Tensor, guidance: Guidance, t: int, generators: Generators) -> Tensor:
        """The denoised estimate x_hd (B, C, h, w) of z's inversion to timestep t."""
        level = torch.full((len(z),), t, device=z.device)
        return self.denoise(self._invert(z, guidance, t, generators), guidance, level, guidance.alpha_bar(level))

    def denoise(self, z_t: Tensor, guidance: Guidance, level: Tensor, a: Tensor) -> Tensor:
        """The one-step estimate of the clean latent in z_t at timesteps and alphas (B,), at the guidance scale."""
        return denoised(z_t, guidance.predict_cfg(z_t, level, self.settings.guidance_scale), a)

    def _invert(self, z: Tensor, guidance: Guidance, t: int, generators: Generators) -> Tensor:
        """The latent noised from clean to about t by guided DDIM steps, with extra noise on top of each."""
        s = self.settings
        offsets = rand(generators, torch.device("cpu")).tolist()
        lists = [inversion_timesteps(t, s.inversion_steps, guidance.timesteps, u) for u in offsets]
        levels = to_device(torch.tensor(lists), z.device).T  # (steps + 1, B)
        a = per_item(guidance.alpha_bar(levels.flatten()).view_as(levels))
        here, there = a[:-1], a[1:]
        # DDIM's variance between two levels; the direction is not shortened for it
        sigma = ((1 - here) / (1 - there) * (1 - there / here)).clamp(min=0).sqrt()
        extra = s.inversion_eta * sigma * randn_of_steps(len(sigma), z, generators)
        asked = levels.clamp(min=0) if s.clamp_first_timestep else levels
        # the levels' factors at once and not in each step, because there are many levels and each factor is small
        factors = pairwise(zip(a.sqrt(), (1 - a).sqrt(), strict=True))
        for t_here, ((signal, deviation), (next_signal, next_deviation)), more in zip(
            asked[:-1], factors, extra, strict=True
        ):
            noise = guidance.predict_cfg(z, t_here, s.inversion_scale)
            z = next_signal * ((z - deviation * noise) / signal) + next_deviation * noise + more
        return z


def annealed_timestep(fraction: float, t_range: tuple[float, float], timesteps: int) -> int:
    """The timestep when a fraction of all steps is done: it falls linearly from the range's high to its low end.

    The order of operations is the public code's, because the rounding to whole numbers depends on it.
    """
    low, high = t_range
    return min(int(timesteps * ((high - low) * (1 - fraction) + low)), timesteps - 1)


def inversion_timesteps(t: int, steps: int, timesteps: int, u: float) -> list[int]:
    """The inversion's levels: 1 - stride (clean), 1, 1 + stride, ... below t, then t + u stride, u in [0, 1)."""
    stride = timesteps // steps
    below = [level for level in range(1, 1 + steps * stride, stride) if level < t]
    return [1 - stride, *below, min(t + int(u * stride), timesteps - 1)]
