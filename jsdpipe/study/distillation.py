"""Part B: the objectives of the registry move particles, with an exact denoiser in place of the network."""

from typing import Any

import torch
from torch import Tensor

from jsdpipe import objectives
from jsdpipe.base.seeding import generator
from jsdpipe.objectives.base import Progress
from jsdpipe.study.guide import ExactGuidance
from jsdpipe.study.optimisation import START, adam
from jsdpipe.study.targets import Target


def distil(settings: Any, target: Target, steps: int, count: int, seed: int) -> Tensor:
    """Particles (count, 2), after `steps` of the objective's gradient; a latent (2, 1, 1) is one particle.

    Start and draws of a particle are named by target and number, so that all objectives see the same.
    """
    draws = [generator(seed, "study", "distillation", target.name, number) for number in range(count)]
    z = START * torch.stack([torch.randn(2, 1, 1, generator=g) for g in draws])
    optimiser = adam([z])
    objective, guidance = objectives.build(settings), ExactGuidance(target.mixture)
    for step in range(steps):
        z.grad = objective(z, guidance, Progress(step, steps), draws).gradient
        optimiser.step()
    return z.flatten(1).double()
