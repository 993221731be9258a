"""Part A: a generator follows the exact gradient of a divergence from a target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.base.seeding import generator
from jsdpipe.study.divergences import gradient, grid, measure
from jsdpipe.study.generators import GENERATORS, adam
from jsdpipe.study.targets import Target, coverage

RECORDS = 8  # measurements of a run after its start
SAMPLE = 512  # points of q for counting its modes


def _clean(steps: int) -> Tensor:
    return torch.ones(steps, dtype=torch.float64)


def _annealed(steps: int) -> Tensor:
    return (0.1 + 1.35 * torch.arange(steps, dtype=torch.float64) / steps).clamp(max=1).square()


# the cumulative alpha of every step: annealed, sqrt(a) rises linearly from 0.1 to 1 in two thirds of the run; clean, it
# is 1
LEVELS: Mapping[str, Callable[[int], Tensor]] = {"annealed": _annealed, "clean": _clean}


@dataclass(frozen=True)
class Descent:
    """A run's records, and points (N, 2) of its q at the start and at the end."""

    history: list[dict[str, float]]
    start: Tensor
    end: Tensor


def descend(divergence: str, target: Target, kind: str, schedule: str, steps: int, count: int, seed: int) -> Descent:
    """Train the generator `kind`; each step draws samples of q, noises them, and moves them along the gradient there.

    At x_a = sqrt(a) x + sqrt(1 - a) eps, the gradient on x is sqrt(a) times that on x_a. Draws are named by target and
    generator alone, so all divergences and schedules see the same numbers.
    """
    draws = generator(seed, "study", "descent", target.name, kind)
    q = GENERATORS[kind](count, draws)
    optimizer = adam(parameter for parameter in q.parameters() if parameter.requires_grad)
    points, area = grid()
    log_p = target.mixture.log_density(points)

    def sample() -> Tensor:
        """Points of q, with the same noise every time."""
        return q.sample(SAMPLE, generator(seed, "study", "look", target.name, kind)).detach()

    def record(step: int) -> dict[str, float]:
        divergences = measure(log_p, q.density().log_density(points), area)
        return {"step": step, **vars(coverage(sample(), target)), **divergences}

    start, history, norms = sample(), [record(0)], []
    for step, a in enumerate(LEVELS[schedule](steps)):
        x = q.sample(count, draws)
        noise = torch.randn(x.shape, dtype=torch.float64, generator=draws)
        noised = a.sqrt() * x.detach() + (1 - a).sqrt() * noise
        pull = a.sqrt() * gradient(divergence, noised, target.mixture, q.density(), a)
        optimizer.zero_grad()
        x.backward(pull / len(x))
        optimizer.step()
        norms.append(float(pull.norm(dim=1).max()))
        if (step + 1) * RECORDS // steps > step * RECORDS // steps:
            history.append({**record(step + 1), "largest_gradient": max(norms)})
            norms = []
    return Descent(history, start, sample())
