"""Interval score matching (LucidDreamer, arXiv 2311.11284, eq. 16 and algorithm 1)."""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from jsdpipe.base.device import to_device
from jsdpipe.base.fields import Step
from jsdpipe.base.schedules import value_at
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import (
    Generators,
    Guidance,
    Objective,
    Output,
    Progress,
    add_noise,
    denoised,
    per_item,
    randn_like,
    random_timestep,
)
from jsdpipe.objectives.settings import GuidanceScale, ObjectiveSettings, RandomRange

Timesteps = Annotated[float, Field(ge=1, le=1000)]


@OBJECTIVES.register("ism")
class IntervalScoreMatching(Objective):
    """Gradient sqrt((1 - a_t) / a_t) (e_s(z_t) - e_null(z_r)), r = t - interval; an asset's views share t.

    Unconditional DDIM inversion takes z to z_r, and then to z_t. It starts with random noise, at the first timestep or
    at most `inversion_steps` strides before r. With a negative prompt e_s is e_neg + s (e_text - e_neg).
    """

    class Settings(ObjectiveSettings):
        guidance_scale: GuidanceScale
        negative_prompt: str | None = Field(
            default=None, description="what the guidance leads away from, in the null text's place; not the inversion"
        )
        t_range: RandomRange
        interval: Timesteps | tuple[Step, Timesteps, Timesteps, Step] = Field(
            description="timesteps between the two scores"
        )
        inversion_steps: Annotated[int, Field(ge=1, le=1000)]
        inversion_stride: Annotated[int, Field(ge=1, le=1000, description="most timesteps an inversion step takes")]
        one_based: bool = Field(
            default=False, description="timesteps and steps count from 1, as in the public code, and not from 0"
        )

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        s = self.settings
        first = int(s.one_based)
        progress = Progress(progress.step + first, progress.steps)
        # all timesteps on the CPU, because how many there are depends on the draws
        t = random_timestep(s.t_range, progress, guidance.timesteps, generators, torch.device("cpu"), first)
        t = guidance.first_of_asset(t)
        before = (t - int(value_at(s.interval, progress.step))).clamp(min=first)
        levels = [(before - s.inversion_stride * s.inversion_steps).clamp(min=first)]
        while (levels[-1] < before).any():
            levels.append(torch.minimum(levels[-1] + s.inversion_stride, before))
        t, before, *levels = to_device(torch.stack((t, before, *levels)), z.device).unbind()
        z_t = add_noise(z, randn_like(z, generators), guidance.alpha_bar(levels[0]))
        for here, there in pairwise(levels):
            stepped = self._step(z_t, guidance.predict_null(z_t, here), guidance, here, there)
            # items whose inversion has arrived wait for the others
            z_t = torch.where(per_item(here < before), stepped, z_t)
        e_before = guidance.predict_null(z_t, before)
        z_t = self._step(z_t, e_before, guidance, before, t)
        a = guidance.alpha_bar(t)
        weight = per_item(((1 - a) / a).sqrt())
        if s.negative_prompt is None:
            e_s = guidance.predict_cfg(z_t, t, s.guidance_scale)
        else:
            negative, direction = guidance.predict_negative_and_direction(z_t, t)
            e_s = negative + s.guidance_scale * direction
        return Output.from_gradient(weight * (e_s - e_before), t=t, before=before)

    @staticmethod
    def _step(z: Tensor, noise: Tensor, guidance: Guidance, here: Tensor, there: Tensor) -> Tensor:
        """A DDIM step of z from timestep `here` to `there`, by the noise in it."""
        return add_noise(denoised(z, noise, guidance.alpha_bar(here)), noise, guidance.alpha_bar(there))
