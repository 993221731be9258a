"""Classifier score distillation (arXiv 2310.19415, eq. 8, and 10 with a negative prompt)."""

import torch
from pydantic import Field, model_validator
from torch import Tensor

from jsdpipe.base.fields import FractionSchedule
from jsdpipe.base.schedules import value_at
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
    """Gradient w D, D = e_text - e_null, w = 1 - a_t: guidance alone, without the prior's own score.

    With a negative prompt it is w (e_text - f e_neg - (1 - f) e_null), and Perp-Neg's pushes are those from e_neg.
    """

    class Settings(ObjectiveSettings):
        t_range: RandomRange
        negative_prompt: str | None = Field(default=None, description="describes bad pictures, for all views alike")
        negative_share: FractionSchedule | None = Field(
            default=None, description="f, what e_neg has of what is subtracted from e_text; e_null has the rest"
        )
        unit_norm: bool = Field(default=False, description="an item's gradient is scaled to norm 1, in place of w")

        @model_validator(mode="after")
        def _together(self) -> "ClassifierScoreDistillation.Settings":
            if (self.negative_prompt is None) != (self.negative_share is None):
                raise ValueError("negative_prompt and negative_share go together; state both or none")
            return self

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, progress, guidance.timesteps, generators, z.device)
        a = guidance.alpha_bar(t)
        z_t = add_noise(z, randn_like(z, generators), a)
        if s.negative_share is None:
            _, toward_text = guidance.predict_null_and_direction(z_t, t)
        else:
            negative, toward_text = guidance.predict_negative_and_direction(z_t, t)
            if (share := value_at(s.negative_share, progress.step)) < 1:
                toward_text = toward_text + (1 - share) * (negative - guidance.predict_null(z_t, t))
        if s.unit_norm:
            norm = torch.linalg.vector_norm(toward_text, dim=(1, 2, 3), keepdim=True)
            return Output.from_gradient(toward_text / (norm + 1e-8), t=t)
        return Output.from_gradient(per_item(1 - a) * toward_text, t=t)
