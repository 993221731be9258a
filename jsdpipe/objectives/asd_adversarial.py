"""Adversarial score distillation (arXiv 2312.00739, CVPR 2024), as its public code computes it."""

from pydantic import Field
from torch import Tensor

from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import Guidance, per_item
from jsdpipe.objectives.settings import Scale
from jsdpipe.objectives.vsd import VariationalScoreDistillation


@OBJECTIVES.register("asd-adversarial")
class AdversarialScoreDistillation(VariationalScoreDistillation):
    """VSD whose adapter is a discriminator: its loss has gamma MSE(e_phi, e_text) too; gamma < 0 drives them apart.

    e_text has Perp-Neg's pushes, if there are any.
    """

    class Settings(VariationalScoreDistillation.Settings):
        gamma: Scale = Field(description="weight of the adapter's distance to the prior; negative in the public code")

    settings: Settings

    def adapter_loss(self, predicted: Tensor, noise: Tensor, z_t: Tensor, t: Tensor, guidance: Guidance) -> Tensor:
        target, a = guidance.predict_pushed_text(z_t, t), guidance.alpha_bar(t)
        if self.settings.adapter_loss == "velocity":
            # the public code's target is the velocity sqrt(a) e - sqrt(1 - a) z of the clean z, which is this noise
            target = noise + per_item(a) * (target - noise)
        to_render, to_prior = (self.distance(predicted, other, a) for other in (noise, target))
        return to_render + self.settings.gamma * to_prior
