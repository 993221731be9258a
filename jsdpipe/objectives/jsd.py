"""Jensen-Shannon score distillation (arXiv 2503.10660), as its public code computes it."""

import torch
from pydantic import Field
from torch import Tensor

from jsdpipe.base.fields import Factor, Fraction
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import Generators, Guidance, Output, Progress, add_noise, randn_like
from jsdpipe.objectives.sdi import Inversion, annealed_timestep


@OBJECTIVES.register("jsd")
class JensenShannon(Inversion):
    """Draws z to SDI's target x_hd and, with weight k, to a low-density ("minority") estimate x_ld.

    x_ld is the one-step estimate from x_hd noised to t again. The loss is 0.5 MSE(z, x_hd) + k 0.5 MSE(z, x_ld), with
    both targets constant. With k = 0, and during the warm-up, this is SDI, and x_ld is not computed.
    """

    class Settings(Inversion.Settings):
        k: Factor = Field(description="weight of the low-density (minority) term; 0 gives SDI")
        warm_up: Fraction = Field(default=0.0, description="share of the run, from its start, without that term")

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        s = self.settings
        t = annealed_timestep(progress.fraction, s.t_range, guidance.timesteps)
        level = torch.full((len(z),), t, device=z.device)
        x_hd = self.estimate(z, guidance, t, generators)
        high = Output.toward_target(z, x_hd, t=level)
        if s.k == 0 or progress.fraction < s.warm_up:
            return high
        a = guidance.alpha_bar(level)
        noised = add_noise(x_hd, randn_like(z, generators), a)
        low = Output.toward_target(z, self.denoise(noised, guidance, level, a))
        return Output(
            high.gradient + s.k * low.gradient,
            high.loss + s.k * low.loss,
            {"t": level, "high": high.loss, "low": low.loss},
        )
