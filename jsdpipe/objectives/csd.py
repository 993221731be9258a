"""Classifier score distillation (arXiv 2310.19415, eq. 8)."""

from torch import Tensor

from jsdpipe.config.objectives import CSD
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


class ClassifierScoreDistillation(Objective):
    """Gradient w D, D = e_text - e_null, w = 1 - a_t: guidance alone, without the prior's own score."""

    def __init__(self, settings: CSD) -> None:
        self.settings = settings

    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        t = random_timestep(self.settings.t_range, clock, guide.timesteps, generators, z.device)
        a = guide.alpha(t)
        _, direction = guide.parts(add_noise(z, randn_like(z, generators), a), t)
        return residual(spread(1 - a) * direction, t=t)
