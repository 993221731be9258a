"""The study's runs, and their numbers as tables."""

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from torch import Tensor

from jsdpipe.base.progress import Advance
from jsdpipe.base.seeding import generator
from jsdpipe.config.recipes import load_recipe
from jsdpipe.config.stages import STUDIED
from jsdpipe.study.descent import Descent, descend
from jsdpipe.study.distillation import distill
from jsdpipe.study.divergences import WEIGHTS, grid, measure
from jsdpipe.study.generators import BANDWIDTH
from jsdpipe.study.mixtures import kernels
from jsdpipe.study.targets import TARGETS, Target, coverage

Guidance = Literal["exact", "published"]

# part A: generators and noise schedules
SETTINGS = (("particles", "annealed"), ("particles", "clean"), ("parametric", "annealed"))
# part B: targets, guidance, objectives
DISTILLED = ("circle", "uneven")
GUIDANCE: tuple[Guidance, ...] = ("exact", "published")
RECIPES = {kind: f"controlled/{kind}" for kind in STUDIED}  # by kind of objective, in the order of tables
OBJECTIVE_LABELS = {
    "jsd": "JSD", "sdi": "SDI", "sds": "SDS", "sjc": "SJC", "csd": "CSD", "nfsd": "NFSD", "vsd": "VSD", "sim": "SIM",
    "asd-adversarial": "ASD (adversarial)", "asd-asynchronous": "ASD (asynchronous)", "ism": "ISM",
}  # fmt: skip
# settings that differ from the recipes': half the inversion steps, as in the miniature; a rate for another kind of
# adapter, which learns in few steps; the name of the exact denoiser's own negative "prompt"
OVERRIDES: dict[str, Any] = {"inversion_steps": 5, "adapter_lr": 0.01, "negative_prompt": "the middle"}
EXACT = {"guidance_scale": 1.0, "inversion_scale": -1.0}  # scales at which the guided prediction is the target's own
# rows of part B without an objective: the start, and independent points of the target
REFERENCES = ("start", "sample")


@dataclass(frozen=True)
class Descents:
    """Part A: runs by (generator, schedule, target, divergence); the table has a row for each of their records."""

    runs: dict[tuple[str, str, str, str], Descent]
    table: pd.DataFrame


@dataclass(frozen=True)
class Distillations:
    """Part B: particles (N, 2) by (target, guidance, objective or one of REFERENCES); the table has a row for each."""

    particles: dict[tuple[str, str, str], Tensor]
    table: pd.DataFrame


def descents(steps: int, count: int, seed: int, advance: Advance) -> Descents:
    """Follow every divergence from every target, in every setting."""
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
    """Distill every target of part B by every objective, with both kinds of guidance."""
    particles: dict[tuple[str, str, str], Tensor] = {}
    rows = []
    for target in (TARGETS[name] for name in DISTILLED):
        for guidance in GUIDANCE:
            found = {
                "start": distill(objective_settings(guidance, steps)[0], target, 0, count, seed),
                "sample": target.mixture.sample(count, generator(seed, "study", "sample", target.name)),
            }
            for each in objective_settings(guidance, steps):
                found[each.kind] = distill(each, target, steps, count, seed)
                advance()
            rows += [_row(points, target, guidance, name) for name, points in found.items()]
            particles |= {(target.name, guidance, name): points for name, points in found.items()}
    return Distillations(particles, pd.DataFrame(rows))


def count_runs() -> int:
    """How often `descents` and `distillations` call `advance` together."""
    return len(SETTINGS) * len(TARGETS) * len(WEIGHTS) + len(DISTILLED) * len(GUIDANCE) * len(RECIPES)


def objective_settings(guidance: Guidance, steps: int) -> list[Any]:
    """The settings of every objective, taken from its recipe, with schedules scaled to a run of `steps`."""
    found = []
    for name in RECIPES.values():
        recipe = load_recipe(name)
        stated = {key: _scaled(value, steps / recipe.steps) for key, value in recipe.objective}
        changes = OVERRIDES | (EXACT if guidance == "exact" else {})
        stated |= {key: value for key, value in changes.items() if stated.get(key) is not None}
        found.append(type(recipe.objective)(**stated))
    return found


def _scaled(value: Any, factor: float) -> Any:
    """Multiply the steps of a setting's schedules, tuples of four, by a factor."""
    if isinstance(value, tuple) and len(value) == 4:
        return (round(value[0] * factor), *value[1:3], round(value[3] * factor))
    return tuple(_scaled(end, factor) for end in value) if isinstance(value, tuple) else value


def _row(particles: Tensor, target: Target, guidance: Guidance, name: str) -> dict[str, Any]:
    """The modes covered, and the divergences of the particles' kernel density from the equally smoothed target."""
    points, area = grid()
    smooth, density = target.mixture.smoothed(BANDWIDTH), kernels(particles, BANDWIDTH)
    return {
        "target": target.name,
        "guidance": guidance,
        "objective": name,
        **vars(coverage(particles, target)),
        **measure(smooth.log_density(points), density.log_density(points), area),
    }
