"""Score implicit matching (arXiv 2410.16794), as the public code of Dive3D (arXiv 2506.13594) computes it."""

import torch
from pydantic import Field
from torch import Tensor

from jsdpipe.base.fields import Fraction
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import (
    Generators,
    Guidance,
    Output,
    Progress,
    add_noise,
    per_item,
    randn_like,
    random_timestep,
)
from jsdpipe.objectives.vsd import VariationalScoreDistillation


@OBJECTIVES.register("sim")
class ScoreImplicitMatching(VariationalScoreDistillation):
    """Gradient of the loss (sigma / n) <d / |d|, e_phi - eps>, d = e_s - e_phi, sigma = sqrt((1 - a_t) / a_t).

    Nothing in the loss is held constant: the gradient goes through both U-Nets. It is zero where d is. e_phi and the
    training of its adapter are VSD's. From the share `until` of the run on, the gradient is VSD's too.
    """

    class Settings(VariationalScoreDistillation.Settings):
        until: Fraction = Field(description="share of the run after which the gradient is VSD's")

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        s = self.settings
        if progress.fraction >= s.until:
            return super().compute(z, guidance, progress, generators)
        adapter = self.adapter or self._take(guidance.new_adapter(generators))
        t = random_timestep(s.t_range, progress, guidance.timesteps, generators, z.device)
        a, noise = guidance.alpha_bar(t), randn_like(z, generators)
        leaf = z.detach().requires_grad_()
        z_t = add_noise(leaf, noise, a)
        e_s = guidance.predict_cfg(z_t, t, s.guidance_scale)
        e_phi = guidance.predict_with_adapter(adapter, z_t, t, torch.ones_like(t, dtype=torch.bool))
        d = e_s - e_phi
        length = torch.linalg.vector_norm(d, dim=(1, 2, 3), keepdim=True)
        towards = d / length.masked_fill(length == 0, torch.inf)
        of_item = ((1 - a) / a).sqrt() * (towards * (e_phi - noise)).mean((1, 2, 3))
        on_noise = torch.autograd.grad(of_item.sum(), (e_s, e_phi))
        # scaled to 1 on its way through the U-Nets, for half precision
        peak = torch.stack(on_noise).abs().amax((0, 2, 3, 4)).clamp(min=1e-30)
        (gradient,) = torch.autograd.grad((e_s, e_phi), leaf, [g / per_item(peak) for g in on_noise])
        return Output(
            gradient * per_item(peak), of_item.detach(), {"t": t, "adapter": self._train(z, guidance, generators)}
        )
