"""Adversarial score distillation (arXiv 2312.00739, CVPR 2024), as its public code computes it."""

from pydantic import Field
from torch import Tensor

from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import Guidance
from jsdpipe.objectives.settings import Scale
from jsdpipe.objectives.vsd import VariationalScoreDistillation


@OBJECTIVES.register("asd-adversarial")
class AdversarialScoreDistillation(VariationalScoreDistillation):
    """VSD whose adapter is a discriminator: its loss has gamma MSE(e_phi, e_text) too; gamma < 0 drives them apart."""

    class Settings(VariationalScoreDistillation.Settings):
        gamma: Scale = Field(description="weight of the adapter's distance to the prior; negative in the public code")

    settings: Settings

    def adapter_loss(self, predicted: Tensor, noise: Tensor, z_t: Tensor, t: Tensor, guidance: Guidance) -> Tensor:
        to_prior = (predicted - guidance.predict_text(z_t, t)).square().mean((1, 2, 3))
        return super().adapter_loss(predicted, noise, z_t, t, guidance) + self.settings.gamma * to_prior
