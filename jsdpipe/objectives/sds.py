"""Score distillation sampling (DreamFusion, arXiv 2209.14988, eq. 3)."""

import torch
from torch import Tensor

from jsdpipe.objectives.base import Generators, Guide, Output, add_noise, randn_like, spread
from jsdpipe.recipes.objectives import SDS


class ScoreDistillation:
    """Gradient w (e_s(z_t) - eps), w = 1 - a_t, t uniform over the integers of a range of the schedule."""

    def __init__(self, settings: SDS) -> None:
        self.settings = settings

    def __call__(self, z: Tensor, guide: Guide, progress: float, generators: Generators) -> Output:
        low, high = (min(int(f * guide.timesteps), guide.timesteps - 1) for f in self.settings.t_range)
        t = torch.stack([torch.randint(low, high + 1, (), generator=g) for g in generators]).to(z.device)
        a = guide.alpha(t)
        noise = randn_like(z, generators)
        predicted = guide(add_noise(z, noise, a), t, self.settings.guidance_scale)
        gradient = spread(1 - a) * (predicted - noise)
        # 0.5 |z - (z - gradient).detach()|^2 has this gradient
        return Output(gradient, 0.5 * gradient.square().sum((1, 2, 3)), {"t": t})
