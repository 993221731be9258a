"""Adversarial score distillation (arXiv 2312.00739, CVPR 2024), as its public code computes it."""

from torch import Tensor

from jsdpipe.config.objectives import AdversarialSD
from jsdpipe.objectives.base import Guide
from jsdpipe.objectives.vsd import VariationalScoreDistillation


class AdversarialScoreDistillation(VariationalScoreDistillation):
    """VSD whose adapter is a discriminator: its loss has gamma MSE(e_phi, e_text) too; gamma < 0 pushes them apart."""

    settings: AdversarialSD

    def __init__(self, settings: AdversarialSD) -> None:
        super().__init__(settings)

    def adapter_loss(self, predicted: Tensor, noise: Tensor, z_t: Tensor, t: Tensor, guide: Guide) -> Tensor:
        real = (predicted - guide.text(z_t, t)).square().mean((1, 2, 3))
        return super().adapter_loss(predicted, noise, z_t, t, guide) + self.settings.gamma * real
