"""Noise-free score distillation (arXiv 2310.17590, eq. 11 and 12)."""

import torch
from torch import Tensor

from jsdpipe.config.objectives import NFSD
from jsdpipe.objectives.base import (
    Clock,
    Generators,
    Guide,
    Objective,
    Output,
    add_noise,
    randn_like,
    random_timestep,
    residual,
    spread,
)

SMALL_NOISE = 200  # of 1000 timesteps: below, e_null is itself the step towards the images


class NoiseFreeScoreDistillation(Objective):
    """Gradient w (dD + s D), w = 1 - a_t; dD = e_null where t < 200, else e_null - e_neg, by a negative prompt."""

    def __init__(self, settings: NFSD) -> None:
        self.settings = settings

    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, clock, guide.timesteps, generators, z.device)
        a = guide.alpha(t)
        null, direction, negative = guide.against(add_noise(z, randn_like(z, generators), a), t)
        domain = torch.where(spread(t < SMALL_NOISE * guide.timesteps // 1000), null, null - negative)
        return residual(spread(1 - a) * (domain + s.guidance_scale * direction), t=t)
