"""Score distillation sampling (DreamFusion, arXiv 2209.14988, eq. 3)."""

from torch import Tensor

from jsdpipe.config.objectives import SDS
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


class ScoreDistillation(Objective):
    """Gradient w (e_s(z_t) - eps), w = 1 - a_t, t uniform."""

    def __init__(self, settings: SDS) -> None:
        self.settings = settings

    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, clock, guide.timesteps, generators, z.device)
        a = guide.alpha(t)
        noise = randn_like(z, generators)
        predicted = guide(add_noise(z, noise, a), t, s.guidance_scale)
        return residual(spread(1 - a) * (predicted - noise), t=t)
