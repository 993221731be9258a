"""Score Jacobian chaining (arXiv 2212.00774), with its variance reduction."""

from torch import Tensor

from jsdpipe.config.objectives import SJC
from jsdpipe.objectives.base import (
    Clock,
    Generators,
    Guide,
    Objective,
    Output,
    denoised,
    randn_like,
    random_timestep,
    residual,
    spread,
)


class ScoreJacobianChaining(Objective):
    """Gradient (z - x0) / sigma of the perturbed z + sigma eps, sigma = sqrt((1 - a) / a), x0 its denoised estimate.

    The denoiser, which knows z_t alone, is asked at (z + sigma eps) sqrt(a) = z_t; so this is e_s(z_t) - eps, SDS
    without its weight.
    """

    def __init__(self, settings: SJC) -> None:
        self.settings = settings

    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, clock, guide.timesteps, generators, z.device)
        a = guide.alpha(t)
        sigma = spread(((1 - a) / a).sqrt())
        z_t = spread(a.sqrt()) * (z + sigma * randn_like(z, generators))
        x0 = denoised(z_t, guide(z_t, t, s.guidance_scale), a)
        return residual((z - x0) / sigma, t=t)
