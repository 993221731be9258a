"""Part A: a generator follows the exact gradient of a divergence from a target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.base.seeding import generator
from jsdpipe.study.coverage import coverage
from jsdpipe.study.divergences import gradient, grid, measure
from jsdpipe.study.generators import GENERATORS
from jsdpipe.study.optimisation import adam
from jsdpipe.study.targets import Target

RECORDS = 8  # times that a run is measured, beside its start
LOOK = 512  # points of q, about, in which its modes are counted


def _clean(steps: int) -> Tensor:
    return torch.ones(steps, dtype=torch.float64)


def _annealed(steps: int) -> Tensor:
    return (0.1 + 1.35 * torch.arange(steps, dtype=torch.float64) / steps).clamp(max=1).square()


# the cumulative alpha of every step: of noise that falls, as sqrt(a) rises linearly from 0.1 to 1 in two thirds of the
# run; or 1, no noise at all
LEVELS: Mapping[str, Callable[[int], Tensor]] = {"annealed": _annealed, "clean": _clean}


@dataclass(frozen=True)
class Descent:
    """A run's numbers over time, a row a record, and points (N, 2) of its q at the start and at the end."""

    history: list[dict[str, float]]
    start: Tensor
    end: Tensor


def descend(divergence: str, target: Target, kind: str, schedule: str, steps: int, count: int, seed: int) -> Descent:
    """Each step draws samples x of q, noises them to the step's level, and pulls each by its gradient there.

    At x_a = sqrt(a) x + sqrt(1 - a) eps the gradient on x is sqrt(a) times that on x_a. Draws are named by target and
    generator, not by divergence and schedule, so that all see the same numbers.
    """
    draws = generator(seed, "study", "descent", target.name, kind)
    q = GENERATORS[kind](count, draws)
    optimizer = adam(parameter for parameter in q.parameters() if parameter.requires_grad)
    points, area = grid()
    log_p = target.mixture.log_density(points)

    def look() -> Tensor:
        """Points of q, by the same noise at every look."""
        return q.sample(LOOK, generator(seed, "study", "look", target.name, kind)).detach()

    def record(step: int) -> dict[str, float]:
        divergences = measure(log_p, q.density().log_density(points), area)
        return {"step": step, **vars(coverage(look(), target)), **divergences}

    start, history, norms = look(), [record(0)], []
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
    return Descent(history, start, look())
