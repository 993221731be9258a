"""Asynchronous score distillation (ScaleDreamer, arXiv 2407.02040, eq. 8)."""

from torch import Tensor

from jsdpipe.base.schedules import value_at
from jsdpipe.config.objectives import AsynchronousSD
from jsdpipe.objectives.base import (
    Clock,
    Generators,
    Guide,
    Objective,
    Output,
    add_noise,
    rand,
    randn_like,
    random_timestep,
    residual,
    spread,
)


class AsynchronousScoreDistillation(Objective):
    """Gradient w (e_s(z_t, t) - e_text(z_t', t')), w = 1 - a_t, same eps, t' = t + u shift (t - t_min), u ~ U[0, 1).

    The prior at a later timestep stands for what VSD trains an adapter for.
    """

    def __init__(self, settings: AsynchronousSD) -> None:
        self.settings = settings

    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, clock, guide.timesteps, generators, z.device)
        first = int(value_at(s.t_range[0], clock.step) * guide.timesteps)
        noise = randn_like(z, generators)
        shift = (rand(generators, z.device) * s.shift * (t - first)).long()
        later = (t + shift).clamp(max=guide.timesteps - 1)
        a, b = guide.alpha(t), guide.alpha(later)
        near = guide(add_noise(z, noise, a), t, s.guidance_scale)
        far = guide.text(add_noise(z, noise, b), later)
        return residual(spread(1 - a) * (near - far), t=t, later=later)
