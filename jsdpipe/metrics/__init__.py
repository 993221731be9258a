"""Metrics: the built-in ones, each computed by its own stage, and those that a configuration names.

A metric is added by one file: a module of this package or of an installed distribution, or a plugin. Torch-free,
because the workflow asks while it plans.
"""

from collections import Counter
from typing import TYPE_CHECKING

from jsdpipe.base.errors import UserError
from jsdpipe.metrics.base import METRICS, RIGS, STAGE, Group, Metric, register, source
from jsdpipe.metrics.built_in import BUILT_IN

if TYPE_CHECKING:
    from jsdpipe.config.run_config import RunConfig

FEWEST_RANKED = 3  # methods, or assets; with two, there is no order but that of one pair
__all__ = ["BUILT_IN", "METRICS", "RIGS", "STAGE", "Group", "Metric", "register", "source"]


def check(config: "RunConfig") -> None:
    """Raise `UserError` if a configuration names a metric that is unknown, or whose needs the run does not meet."""
    names = config.metrics or []
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"{repeated[0]!r} occurs twice; remove one")
    for name in names:
        metric = METRICS[name]
        if metric.compute is None:
            raise UserError(
                f"{name!r} is computed by the stage {metric.stages[0]}; remove it and configure that section"
            )
        if "captions" in metric.needs and config.alignment is None:
            raise UserError(f"{name!r} needs captions, which the alignment stage writes; add the section alignment")


def named(config: "RunConfig") -> tuple[Metric, ...]:
    """The metrics that a configuration names."""
    return tuple(METRICS[name] for name in config.metrics or [])


def needs(config: "RunConfig") -> frozenset[str]:
    """The needs of the metrics that a configuration names; skips unknown ones (an older run's plugin may be gone)."""
    known = METRICS.kinds()
    return frozenset(need for name in config.metrics or [] if name in known for need in METRICS[name].needs)


def of_run(config: "RunConfig") -> tuple[Metric, ...]:
    """A run's metrics, the built-in ones of its stages first."""
    built_in = (metric for metric in BUILT_IN if all(stage in config.stages for stage in metric.stages))
    return (*built_in, *named(config))


def by_group(config: "RunConfig") -> dict[Group, tuple[Metric, ...]]:
    """A run's metrics by group; a group has one table and one chart."""
    groups: dict[Group, tuple[Metric, ...]] = {}
    for metric in of_run(config):
        groups[metric.group] = (*groups.get(metric.group, ()), metric)
    return groups


def compared(config: "RunConfig") -> dict[str, tuple[Metric, ...]]:
    """A run's metrics by the name of their table of paired comparisons."""
    tables: dict[str, tuple[Metric, ...]] = {}
    for group, metrics in by_group(config).items():
        tables[group.comparison] = (*tables.get(group.comparison, ()), *metrics)
    return tables


def ranked(config: "RunConfig") -> bool:
    """Whether a run has a ranking of its methods by its metrics."""
    return len(config.contestants) >= FEWEST_RANKED and bool(of_run(config))


def separated(config: "RunConfig") -> tuple[Metric, ...]:
    """The scores of single assets that should tell a run's ceiling from its floor; none without both."""
    if not (config.bound("ceiling") and config.bound("floor")):
        return ()
    return tuple(metric for metric in of_run(config) if metric.per == "asset" and metric.group.of_prompt)


def rigs(config: "RunConfig") -> tuple[str, ...]:
    """The camera rigs whose views a run's scores and metrics need."""
    needed = needs(config)
    return tuple(rig for rig in RIGS if f"views:{rig}" in needed or rig in config.scores)
