"""Score Jacobian chaining (arXiv 2212.00774), with its variance reduction."""

from torch import Tensor

from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import (
    Generators,
    Guidance,
    Objective,
    Output,
    Progress,
    denoised,
    per_item,
    randn_like,
    random_timestep,
)
from jsdpipe.objectives.settings import GuidanceScale, ObjectiveSettings, RandomRange


@OBJECTIVES.register("sjc")
class ScoreJacobianChaining(Objective):
    """Gradient (z - x0) / sigma, sigma = sqrt((1 - a) / a); x0 is the denoised estimate of z + sigma eps.

    The denoiser takes z_t = sqrt(a) (z + sigma eps). So the gradient is e_s(z_t) - eps, which is SDS without its
    weight.
    """

    class Settings(ObjectiveSettings):
        guidance_scale: GuidanceScale
        t_range: RandomRange

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, progress, guidance.timesteps, generators, z.device)
        a = guidance.alpha_bar(t)
        sigma = per_item(((1 - a) / a).sqrt())
        z_t = per_item(a.sqrt()) * (z + sigma * randn_like(z, generators))
        x0 = denoised(z_t, guidance.predict_cfg(z_t, t, s.guidance_scale), a)
        return Output.from_gradient((z - x0) / sigma, t=t)
