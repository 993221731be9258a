"""Classifier score distillation (arXiv 2310.19415, eq. 8)."""

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
from jsdpipe.objectives.settings import ObjectiveSettings, RandomRange


@OBJECTIVES.register("csd")
class ClassifierScoreDistillation(Objective):
    """Gradient w D, D = e_text - e_null, w = 1 - a_t: guidance alone, without the prior's own score."""

    class Settings(ObjectiveSettings):
        t_range: RandomRange

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        t = random_timestep(self.settings.t_range, progress, guidance.timesteps, generators, z.device)
        a = guidance.alpha_bar(t)
        _, direction = guidance.predict_null_and_direction(add_noise(z, randn_like(z, generators), a), t)
        return Output.from_gradient(per_item(1 - a) * direction, t=t)
