"""What a metric is, and the registry of all metrics. Torch-free, because the workflow asks while it plans."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from jsdpipe.base.errors import UserError
from jsdpipe.base.registry import Registry, place

RIGS = ("quality", "alignment", "diversity")  # whose views a metric may need
NEEDS = (*(f"views:{rig}" for rig in RIGS), "mesh", "captions")
STAGE = "metrics"  # which computes the metrics that a configuration names
# columns of the tidy tables that are no metrics, and tables and places of the report that are no groups
COLUMNS = frozenset(
    ("method", "set", "prompt_id", "prompt", "seed", "status", "failed_at", "reason", "notes", "reward_mean",
     "best_view", "grade", "caption", "vertices", "faces", "components", "watertight")
)  # fmt: skip
TABLES = frozenset(("assets", "prompts", "failures", "notes", "study", "time", "making"))


@dataclass(frozen=True)
class Group:
    """Metrics that have a table and a chart together, both called `name`, under the heading `title` in the report.

    The table's caption is `about`, then what the numbers are means of, then `notes`; "{seeds}" in `about` stands for
    the number of seeds. `empty` is said where there are no numbers.

    Args:
        compared_in: the table of paired comparisons; without: "paired-<name>".
        counts_assets: whether the table counts assets and failures beside the prompts.
        ungraded: said of the assets that the judge gave no grade, where there are any; "{count}" stands for their
            number.
    """

    name: str
    title: str
    about: str
    notes: str = ""
    empty: str = "No asset has a value."
    compared_in: str = ""
    counts_assets: bool = False
    ungraded: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9-]{0,39}", self.name):
            raise ValueError(f"{self.name}: a group's name has lower-case letters, digits and '-'")
        if self.name in TABLES or self.name.startswith(("paired", "contact")):
            raise ValueError(f"{self.name}: a table or figure has this name; name the group otherwise")

    @property
    def comparison(self) -> str:
        """The name of the table of paired comparisons."""
        return self.compared_in or f"paired-{self.name}"


@dataclass(frozen=True)
class Metric:
    """A number of each asset, or of the assets of each prompt together.

    Args:
        name: its column in the tidy tables.
        label: its name for people.
        direction: which values are better.
        format: how a value is written, such as ".2f", or ".0%" of a share.
        group: the metrics that it stands with.
        meaning: what the number is, in a line.
        per: whether it has a value an asset, or one a prompt, over its seeds.
        full: the value of full marks: charts have bars from 0 to it; without: marks, whose differences alone count.
        failed: the value of a failed asset, in words if a stage works it out; without: failed assets are left out.
        needs: what `compute` asks of an asset, of `NEEDS`; prompt and seed are always there.
        stages: the stages of a run that it is made by.
        compute: of an `Asset`, or of a list of them, the value, None if it is unknown; see `register`.
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
            raise ValueError(f"{self.name}: a metric's name has lower-case letters, digits and '_', and is no column's")
        if self.direction not in ("higher", "lower"):
            raise ValueError(f"{self.name}: direction is 'higher' or 'lower', not {self.direction!r}")
        if self.per not in ("asset", "prompt"):
            raise ValueError(f"{self.name}: per is 'asset' or 'prompt', not {self.per!r}")
        if self.per == "prompt" and self.failed is not None:
            raise ValueError(f"{self.name}: a metric per prompt is over the assets that did not fail; leave failed out")
        if self.compute and isinstance(self.failed, str):
            raise ValueError(f"{self.name}: failed is a number or None, not {self.failed!r}")
        if isinstance(self.needs, str) or not {*self.needs} <= {*NEEDS}:
            raise ValueError(f"{self.name}: needs is a list of some of {', '.join(NEEDS)}, not {self.needs!r}")
        try:
            self.difference(0.5)
        except ValueError:
            raise ValueError(f"{self.name}: no format of numbers: {self.format!r}; take one such as '.2f'") from None

    @property
    def rigs(self) -> tuple[str, ...]:
        """The rigs whose views it needs."""
        return tuple(rig for rig in RIGS if f"views:{rig}" in self.needs)

    @property
    def heading(self) -> str:
        """The label with the arrow of the better direction."""
        return f"{self.label} {'↑' if self.direction == 'higher' else '↓'}"

    @property
    def floor(self) -> str:
        """What a failed asset counts with, in words; empty if it is left out."""
        if self.failed is None or isinstance(self.failed, str):
            return self.failed or ""
        return f"{self.label} {self.failed:g}"

    def text(self, value: float) -> str:
        """`value` with the metric's digits and unit, without a negative zero."""
        return format(value, "z" + self.format)

    def difference(self, value: float) -> str:
        """A difference of two values, with its sign; of shares in percentage points."""
        return format(value, "+z" + self.format).replace("%", " pp")


METRICS = Registry[Metric]("metric", "jsdpipe.metrics", "jsdpipe.metrics", shared=("base", "built_in"), separator="_")

Compute = Callable[[Any], float | None]


def register(metric: Metric) -> Callable[[Compute], Compute]:
    """A decorator that makes its function the one that computes a metric, and the metric known by its name.

    `UserError` if the name is taken, or the group's name by another group.
    """

    def add(compute: Compute) -> Compute:
        declare(replace(metric, compute=compute), compute.__module__)
        return compute

    return add


def declare(metric: Metric, module: str) -> None:
    """Make a metric known that a module declares; errors are those of `register`."""
    for known in METRICS.loaded():
        root, group = METRICS.root(known.name), metric.group
        # a plugin that has been edited since takes the place of what it was
        if known.group.name == group.name and known.group != group and root != place(module):
            raise UserError(f"group {group.name!r}: {root} has another one of that name; take another name")
    METRICS.register(metric.name, module)(metric)


def source(name: str) -> Path:
    """The file that a metric is from."""
    root = METRICS.root(name)
    return root if isinstance(root, Path) else Path(importlib.import_module(root).__file__ or "")
