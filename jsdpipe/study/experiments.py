"""Which runs the study makes, and their numbers as tables."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Tensor

from jsdpipe.base.progress import Advance
from jsdpipe.base.seeding import generator
from jsdpipe.study.coverage import coverage
from jsdpipe.study.descent import Descent, descend
from jsdpipe.study.distillation import distill
from jsdpipe.study.divergences import WEIGHTS, grid, measure
from jsdpipe.study.generators import BANDWIDTH
from jsdpipe.study.mixtures import kernels
from jsdpipe.study.settings import GUIDANCE, Guidance, settings
from jsdpipe.study.targets import TARGETS, Target

# part A: generator and levels of noise
SETTINGS = (("particles", "annealed"), ("particles", "clean"), ("parametric", "annealed"))
# part B: the targets, each at both guidances
DISTILLED = ("circle", "uneven")
REFERENCES = (
    "start",
    "sample",
)  # rows of part B that no objective made; the sample is independent points of the target


@dataclass(frozen=True)
class Descents:
    """Part A: runs by (generator, levels, target, divergence); `table` has a row a record, the keys as its columns."""

    runs: dict[tuple[str, str, str, str], Descent]
    table: pd.DataFrame


@dataclass(frozen=True)
class Distillations:
    """Part B: particles (N, 2) by (target, guidance, objective or one of REFERENCES); `table` has a row each."""

    particles: dict[tuple[str, str, str], Tensor]
    table: pd.DataFrame


def descents(steps: int, count: int, seed: int, advance: Advance) -> Descents:
    """Every divergence from every target, in every setting."""
    runs, rows = {}, []
    for kind, schedule in SETTINGS:
        for target in TARGETS.values():
            for divergence in WEIGHTS:
                run = descend(divergence, target, kind, schedule, steps, count, seed)
                runs[kind, schedule, target.name, divergence] = run
                keys = {"generator": kind, "noise": schedule, "target": target.name, "followed": divergence}
                rows += [keys | row for row in run.history]
                advance()
    return Descents(runs, pd.DataFrame(rows))


def distillations(steps: int, count: int, seed: int, advance: Advance) -> Distillations:
    """Every objective of the registry on every target of part B, at both guidances."""
    particles: dict[tuple[str, str, str], Tensor] = {}
    rows = []
    for target in (TARGETS[name] for name in DISTILLED):
        for guidance in GUIDANCE:
            found = {
                "start": distill(settings(guidance, steps)[0], target, 0, count, seed),
                "sample": target.mixture.sample(count, generator(seed, "study", "sample", target.name)),
            }
            for each in settings(guidance, steps):
                found[each.kind] = distill(each, target, steps, count, seed)
                advance()
            rows += [_row(points, target, guidance, name) for name, points in found.items()]
            particles |= {(target.name, guidance, name): points for name, points in found.items()}
    return Distillations(particles, pd.DataFrame(rows))


def count_runs() -> int:
    """How often `advance` is called in all."""
    of_objectives: list[Any] = settings("exact", 1)
    return len(SETTINGS) * len(TARGETS) * len(WEIGHTS) + len(DISTILLED) * len(GUIDANCE) * len(of_objectives)


def _row(particles: Tensor, target: Target, guidance: Guidance, name: str) -> dict[str, Any]:
    """Modes, and the divergences of the particles' kernel density from the target smoothed by the same kernel."""
    points, area = grid()
    smooth, density = target.mixture.smoothed(BANDWIDTH), kernels(particles, BANDWIDTH)
    return {
        "target": target.name,
        "guidance": guidance,
        "objective": name,
        **vars(coverage(particles, target)),
        **measure(smooth.log_density(points), density.log_density(points), area),
    }
