"""Metrics: the built-in ones, which stages of their own compute, and those that a configuration names.

One file adds a metric: a module of this package, of an installed distribution, or a plugin. Torch-free, because the
workflow asks while it plans.
"""

from collections import Counter
from typing import TYPE_CHECKING

from jsdpipe.base.errors import UserError
from jsdpipe.metrics.base import METRICS, RIGS, STAGE, Group, Metric, register, source
from jsdpipe.metrics.built_in import BUILT_IN

if TYPE_CHECKING:
    from jsdpipe.config.run_config import RunConfig

__all__ = ["BUILT_IN", "METRICS", "RIGS", "STAGE", "Group", "Metric", "register", "source"]


def check(config: "RunConfig") -> None:
    """Raise `UserError` if a configuration names a metric that there is not, or that needs what the run lacks."""
    names = config.metrics or []
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"{repeated[0]!r} is there twice; remove one")
    for name in names:
        metric = METRICS[name]
        if metric.compute is None:
            raise UserError(f"{name!r} is of the stage {metric.stages[0]}; leave it out, its section does")
        if "captions" in metric.needs and config.alignment is None:
            raise UserError(f"{name!r} needs captions, which the alignment stage writes; add its section")


def named(config: "RunConfig") -> tuple[Metric, ...]:
    """The metrics that a configuration names."""
    return tuple(METRICS[name] for name in config.metrics or [])


def needs(config: "RunConfig") -> frozenset[str]:
    """What the metrics that a configuration names need; the plugin of an older run's metric may be gone."""
    known = METRICS.kinds()
    return frozenset(need for name in config.metrics or [] if name in known for need in METRICS[name].needs)


def of_run(config: "RunConfig") -> tuple[Metric, ...]:
    """A run's metrics, the built-in ones of its stages first."""
    built_in = (metric for metric in BUILT_IN if all(stage in config.scores for stage in metric.stages))
    return (*built_in, *named(config))


def by_group(config: "RunConfig") -> dict[Group, tuple[Metric, ...]]:
    """A run's metrics by their groups: what has a table and a chart together."""
    found = of_run(config)
    return {group: tuple(of for of in found if of.group == group) for group in dict.fromkeys(of.group for of in found)}


def compared(config: "RunConfig") -> dict[str, tuple[Metric, ...]]:
    """A run's metrics by the name of the table that compares methods by them."""
    tables: dict[str, tuple[Metric, ...]] = {}
    for group, found in by_group(config).items():
        tables[group.comparison] = (*tables.get(group.comparison, ()), *found)
    return tables


def rigs(config: "RunConfig") -> tuple[str, ...]:
    """The rigs that a run's scores and metrics need the views of."""
    needed = needs(config)
    return tuple(rig for rig in RIGS if f"views:{rig}" in needed or rig in config.scores)
