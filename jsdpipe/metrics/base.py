"""The definition of a metric, and the registry of all metrics. Torch-free, because the workflow asks while it plans."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from jsdpipe.base.errors import UserError
from jsdpipe.base.registry import Registry, place

RIGS = ("quality", "alignment", "diversity")  # the camera rigs whose views a metric may need
NEEDS = (*(f"views:{rig}" for rig in RIGS), "mesh", "captions")
STAGE = "metrics"  # the stage that computes the metrics that a configuration names
# reserved names: columns of the tidy tables, and tables and sections of the report
COLUMNS = frozenset(
    ("method", "family", "set", "prompt_id", "prompt", "seed", "status", "failed_at", "reason", "notes", "reward_mean",
     "best_view", "grade", "caption", "vertices", "faces", "components", "watertight", "steps", "unet_samples",
     "seconds")
)  # fmt: skip
TABLES = frozenset(
    ("assets", "prompts", "ranking", "separation", "responses", "prdc", "worth", "failures", "notes", "study", "time",
     "making")
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Metrics that share a table and a chart.

    Args:
        name: the name of the table and the chart.
        title: their heading in the report.
        about: the start of the table's caption; "{seeds}" is replaced by the number of seeds.
        notes: the end of the caption.
        empty: the text in place of a table without numbers.
        compared_in: the table of paired comparisons; default: "paired-<name>".
        counts_assets: whether the table counts assets and failures, besides prompts.
        of_prompt: whether its metrics tell assets of the prompt from others, so that truth is their ceiling, and the
            wrong prompt their floor.
        ungraded: a sentence for the caption if the judge gave some assets no grade; "{count}" is their number.
    """

    name: str
    title: str
    about: str
    notes: str = ""
    empty: str = "No asset has a value."
    compared_in: str = ""
    counts_assets: bool = False
    of_prompt: bool = True
    ungraded: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9-]{0,39}", self.name):
            raise ValueError(f"{self.name}: a group's name has lower-case letters, digits and '-'")
        if self.name in TABLES or self.name.startswith(("paired", "contact")):
            raise ValueError(f"{self.name}: a table or figure has this name; take another name for the group")

    @property
    def comparison(self) -> str:
        """The name of the table of paired comparisons."""
        return self.compared_in or f"paired-{self.name}"


@dataclass(frozen=True)
class Metric:
    """A number for each asset, or for each prompt over its seeds.

    Args:
        name: its column in the tidy tables.
        label: its name in tables and figures.
        direction: which values are better.
        format: the format of a value, such as ".2f", or ".0%" for a fraction.
        group: the group whose table and chart show it.
        meaning: a one-line explanation.
        per: whether there is one value per asset, or per prompt over its seeds.
        full: the highest possible value: charts show bars from 0 to it; default: charts show points.
        failed: the value of a failed asset, as words if a stage computes it; default: failed assets are left out.
        needs: the inputs of `compute`, from `NEEDS`; prompt and seed are always available.
        stages: the stages that compute it.
        compute: a function of an `Asset`, or of a list of them, that returns the value, or None; see `register`.
    """

    name: str
    label: str
    direction: Literal["higher", "lower"]
    format: str
    group: Group
    meaning: str
    per: Literal["asset", "prompt"] = "asset"
    full: float | None = None
    failed: float | str | None = None
    needs: tuple[str, ...] = ()
    stages: tuple[str, ...] = (STAGE,)
    compute: Callable[[Any], float | None] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]{0,39}", self.name) or self.name in COLUMNS:
            raise ValueError(
                f"{self.name}: a metric's name has lower-case letters, digits and '_', and is not a reserved column"
            )
        if self.direction not in ("higher", "lower"):
            raise ValueError(f"{self.name}: direction is 'higher' or 'lower', not {self.direction!r}")
        if self.per not in ("asset", "prompt"):
            raise ValueError(f"{self.name}: per is 'asset' or 'prompt', not {self.per!r}")
        if self.per == "prompt" and self.failed is not None:
            raise ValueError(f"{self.name}: a metric per prompt leaves failed assets out; remove failed")
        if self.compute and isinstance(self.failed, str):
            raise ValueError(f"{self.name}: failed is a number or None, not {self.failed!r}")
        if isinstance(self.needs, str) or not {*self.needs} <= {*NEEDS}:
            raise ValueError(f"{self.name}: needs is a list of some of {', '.join(NEEDS)}, not {self.needs!r}")
        try:
            self.difference(0.5)
        except ValueError:
            raise ValueError(f"{self.name}: invalid number format {self.format!r}; take one such as '.2f'") from None

    @property
    def rigs(self) -> tuple[str, ...]:
        """The camera rigs whose views it needs."""
        return tuple(rig for rig in RIGS if f"views:{rig}" in self.needs)

    @property
    def heading(self) -> str:
        """The label with an arrow for the better direction."""
        return f"{self.label} {'↑' if self.direction == 'higher' else '↓'}"

    @property
    def floor(self) -> str:
        """The value of a failed asset, in words; empty if it is left out."""
        if self.failed is None or isinstance(self.failed, str):
            return self.failed or ""
        return f"{self.label} {self.failed:g}"

    def text(self, value: float) -> str:
        """`value` in the metric's format, without a negative zero."""
        return format(value, "z" + self.format)

    def difference(self, value: float) -> str:
        """A signed difference of two values; for fractions in percentage points."""
        return format(value, "+z" + self.format).replace("%", " pp")


METRICS = Registry[Metric]("metric", "jsdpipe.metrics", "jsdpipe.metrics", shared=("base", "built_in"), separator="_")

Compute = Callable[[Any], float | None]


def register(metric: Metric) -> Callable[[Compute], Compute]:
    """A decorator that registers a metric with the function that computes it.

    Raises `UserError` if the metric's name is taken, or another group has the name of its group.
    """

    def add(compute: Compute) -> Compute:
        declare(replace(metric, compute=compute), compute.__module__)
        return compute

    return add


def declare(metric: Metric, module: str) -> None:
    """Register a metric that a module defines; raises the errors of `register`."""
    for known in METRICS.loaded().values():
        root, group = METRICS.root(known.name), metric.group
        # an edited plugin may replace its own former group
        if known.group.name == group.name and known.group != group and root != place(module):
            raise UserError(f"group {group.name!r}: {root} has another one of that name; take another name")
    METRICS.register(metric.name, module)(metric)


def source(name: str) -> Path:
    """The file that defines a metric."""
    root = METRICS.root(name)
    return root if isinstance(root, Path) else Path(importlib.import_module(root).__file__ or "")
