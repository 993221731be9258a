"""Score distillation sampling (DreamFusion, arXiv 2209.14988, eq. 3)."""

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


@OBJECTIVES.register("sds")
class ScoreDistillation(Objective):
    """Gradient w (e_s(z_t) - eps), w = 1 - a_t, t uniform."""

    class Settings(ObjectiveSettings):
        guidance_scale: GuidanceScale
        t_range: RandomRange

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, progress, guidance.timesteps, generators, z.device)
        a = guidance.alpha_bar(t)
        noise = randn_like(z, generators)
        predicted = guidance.predict_cfg(add_noise(z, noise, a), t, s.guidance_scale)
        return Output.from_gradient(per_item(1 - a) * (predicted - noise), t=t)
