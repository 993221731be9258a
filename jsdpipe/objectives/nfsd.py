"""Noise-free score distillation (arXiv 2310.17590, eq. 11 and 12)."""

import torch
from pydantic import Field
from torch import Tensor

from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import (
    Generators,
    Guidance,
    Objective,
    Output,
    Progress,
    add_noise,
    per_item,
    randn_like,
    random_timestep,
)
from jsdpipe.objectives.settings import GuidanceScale, ObjectiveSettings, RandomRange

SMALL_NOISE = 200  # of 1000 timesteps: below, e_null is itself the step towards the images


@OBJECTIVES.register("nfsd")
class NoiseFreeScoreDistillation(Objective):
    """Gradient w (delta + s D), w = 1 - a_t; delta = e_null where t < 200, else e_null - e_neg.

    e_neg is the noise by a negative prompt.
    """

    class Settings(ObjectiveSettings):
        guidance_scale: GuidanceScale
        t_range: RandomRange
        negative_prompt: str = Field(description="describes bad pictures, for all views alike")

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, progress, guidance.timesteps, generators, z.device)
        a = guidance.alpha_bar(t)
        z_t = add_noise(z, randn_like(z, generators), a)
        null, direction, negative = guidance.predict_with_negative(z_t, t)
        delta = torch.where(per_item(t < SMALL_NOISE * guidance.timesteps // 1000), null, null - negative)
        return Output.from_gradient(per_item(1 - a) * (delta + s.guidance_scale * direction), t=t)
