"""How far the order of a run's methods can be trusted: whether halves of the prompts agree, how many it would take."""

import math
from typing import Any

import numpy as np
import pandas as pd

from jsdpipe import metrics
from jsdpipe.metrics import Metric
from jsdpipe.pipeline.run import Run
from jsdpipe.report.markup import Cell, Table
from jsdpipe.report.presentation import NOTHING, TOO_FEW, group_link, label, number
from jsdpipe.report.statistics import FEWEST, POWER, SPLITS, agreement_of_halves, prompts_needed
from jsdpipe.report.summary import parts

COLUMNS = [
    "set", "metric", "methods", "prompts", "tau", "low", "high", "first", "second", "difference", "prompts_needed",
    "median_prompts_needed",
]  # fmt: skip


def ranking(run: Run, values: pd.DataFrame) -> pd.DataFrame:
    """A row per set and metric, with columns COLUMNS, of the contestants that have values; `values` by prompt.

    `tau` is Kendall's of the methods' means in two halves of the prompts, mean over splits, and `low` to `high` holds
    nine in ten splits. `difference` is that of the best method minus the second. `prompts_needed` is the number of
    prompts at which a paired t-test would find a difference like it; the median is over all pairs of methods. Numbers
    are NaN below six prompts.
    """
    rows: list[dict[str, Any]] = []
    for part, metric, frame in parts(run, values):
        wide = frame[metric.name].unstack("method")
        wide = wide.reindex(columns=run.config.contestants).dropna(axis=1, how="all").dropna()
        if len(wide.columns) >= metrics.FEWEST_RANKED and len(wide):
            rows.append({"set": part, "metric": metric.name, **_row(run, part, metric, wide)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(run: Run, part: str, metric: Metric, wide: pd.DataFrame) -> dict[str, Any]:
    """The numbers of one metric, of its values (prompts x methods)."""
    order = wide.mean().sort_values(ascending=metric.direction == "lower", kind="stable").index
    first, second = order[:2]
    row = {"methods": len(order), "prompts": len(wide), "first": first, "second": second}
    row["difference"] = float((wide[first] - wide[second]).mean())
    if len(wide) < FEWEST:
        return row
    sets = wide.index.get_level_values("set").to_numpy()
    halves = agreement_of_halves(wide.to_numpy(), sets, run.config.seed, part, metric.name)
    level = 1 - run.config.report.confidence
    needed = [
        prompts_needed((wide[a] - wide[b]).to_numpy(), level) for i, a in enumerate(order) for b in order[i + 1 :]
    ]
    return row | {
        "tau": float(np.mean(halves)) if len(halves) else math.nan,
        "low": float(np.quantile(halves, 0.05)) if len(halves) else math.nan,
        "high": float(np.quantile(halves, 0.95)) if len(halves) else math.nan,
        "prompts_needed": needed[0],
        "median_prompts_needed": float(np.median(needed)),
    }


def table(run: Run, frame: pd.DataFrame) -> Table:
    """The ranking's numbers for readers."""
    by_name = {metric.name: metric for metric in metrics.of_run(run.config)}
    rows = []
    for row in frame.to_dict("records"):
        metric, few = by_name[row["metric"]], row["prompts"] < FEWEST
        tau = NOTHING if pd.isna(row["tau"]) else f"{row['tau']:z.2f}"
        aside = "" if pd.isna(row["tau"]) else f"[{row['low']:z.2f}, {row['high']:z.2f}]"
        rows.append(
            (
                Cell(row["set"]),
                Cell(metric.heading),
                Cell(label(run, row["first"]), link=group_link(row["set"], row["first"])),
                Cell(label(run, row["second"]), link=group_link(row["set"], row["second"])),
                Cell(str(row["methods"])),
                Cell(str(row["prompts"])),
                Cell(TOO_FEW if few else tau, aside),
                Cell(metric.difference(row["difference"])),
                Cell(TOO_FEW if few else _prompts(row["prompts_needed"])),
                Cell(TOO_FEW if few else _prompts(row["median_prompts_needed"])),
            )
        )
    caption = (
        "How far the order of the methods can be trusted. Agreement of halves: Kendall's rank correlation between the "
        f"methods' means on two disjoint halves of the prompts, mean over {SPLITS:,} random splits of each set, with "
        "the range of nine in ten splits; 1 is the same order, 0 none in common. Prompts needed: how many it would "
        "take for a paired t-test to find a difference of this size among prompts that vary as these do, with "
        f"{POWER:.0%} power at the level {1 - run.config.report.confidence:.2g}; for the two best methods, and the "
        "median over all pairs."
    )
    header = ("Set", "Score", "Best", "Second", "Methods", "Prompts", "Agreement of halves", "Difference",
              "Prompts needed", "Median pair")  # fmt: skip
    return Table("ranking", caption, header, 4, tuple(rows), "There are fewer than three methods with values.")


def _prompts(count: float) -> str:
    return "more than a million" if math.isinf(count) else number(count)
