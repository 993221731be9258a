"""Interval score matching (LucidDreamer, arXiv 2311.11284, eq. 16 and algorithm 1)."""

import torch
from torch import Tensor

from jsdpipe.base.schedules import value_at
from jsdpipe.config.objectives import ISM
from jsdpipe.objectives.base import (
    Clock,
    Generators,
    Guide,
    Objective,
    Output,
    add_noise,
    denoised,
    randn_like,
    random_timestep,
    residual,
    spread,
)


class IntervalScoreMatching(Objective):
    """Gradient sqrt((1 - a_t) / a_t) (e_s(z_t) - e_null(z_s)), s = t - interval.

    z_s and then z_t come from z by unconditional DDIM inversion, which starts with noise at timestep 0 or at the
    first timestep that `inversion_steps` strides below s reach.
    """

    def __init__(self, settings: ISM) -> None:
        self.settings = settings

    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, clock, guide.timesteps, generators, z.device)
        before = (t - int(value_at(s.interval, clock.step))).clamp(min=0)
        here = (before - s.inversion_stride * s.inversion_steps).clamp(min=0)
        z_t = add_noise(z, randn_like(z, generators), guide.alpha(here))
        for _ in range(s.inversion_steps):
            # items whose inversion has arrived wait for the others
            if not (going := here < before).any():
                break
            there = torch.minimum(here + s.inversion_stride, before)
            z_t = torch.where(spread(going), self._step(z_t, guide.null(z_t, here), guide, here, there), z_t)
            here = there
        interval = guide.null(z_t, before)
        z_t = self._step(z_t, interval, guide, before, t)
        a = guide.alpha(t)
        weight = spread(((1 - a) / a).sqrt())
        return residual(weight * (guide(z_t, t, s.guidance_scale) - interval), t=t, before=before)

    @staticmethod
    def _step(z: Tensor, noise: Tensor, guide: Guide, here: Tensor, there: Tensor) -> Tensor:
        """A DDIM step of z from timestep `here` to `there`, by the noise in it."""
        return add_noise(denoised(z, noise, guide.alpha(here)), noise, guide.alpha(there))
