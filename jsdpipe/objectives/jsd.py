"""Jensen-Shannon score distillation (arXiv 2503.10660), as its public code computes it."""

import torch
from torch import Tensor

from jsdpipe.config.objectives import JSD
from jsdpipe.objectives.base import Clock, Generators, Guide, Output, add_noise, randn_like
from jsdpipe.objectives.sdi import Inversion, annealed_timestep, towards


class JensenShannon(Inversion):
    """Pulls z towards SDI's target x_hd and, with weight k, towards a low-density ("minority") estimate x_ld.

    x_ld is the one-step estimate of x_hd noised to t again. The targets are constants; loss
    0.5 MSE(z, x_hd) + k 0.5 MSE(z, x_ld). With k = 0, as during the warm-up, this is SDI, and x_ld is not computed.
    """

    settings: JSD

    def __init__(self, settings: JSD) -> None:
        super().__init__(settings)

    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        s = self.settings
        t = annealed_timestep(clock.progress, s.t_range, guide.timesteps)
        level = torch.full((len(z),), t, device=z.device)
        high = self.estimate(z, guide, t, generators)
        pull = towards(z, high, t=level)
        if s.k == 0 or clock.progress < s.warm_up:
            return pull
        again = add_noise(high, randn_like(z, generators), guide.alpha(level))
        minority = towards(z, self.denoise(again, guide, t))
        return Output(
            pull.gradient + s.k * minority.gradient,
            pull.loss + s.k * minority.loss,
            {"t": level, "high": pull.loss, "low": minority.loss},
        )
