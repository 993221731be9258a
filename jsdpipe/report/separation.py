"""How well each score tells the truth from the wrong prompt, whatever its scale."""

import math
from typing import Any

import pandas as pd
from scipy.stats import mannwhitneyu

from jsdpipe import metrics
from jsdpipe.pipeline.run import Run
from jsdpipe.report.markup import Cell, Table
from jsdpipe.report.presentation import label, number
from jsdpipe.report.summary import parts

COLUMNS = ["set", "metric", "ceiling", "floor", "auc", "ceiling_assets", "floor_assets"]


def separation(run: Run, assets: pd.DataFrame) -> pd.DataFrame:
    """A row per set and score of single assets, with columns COLUMNS.

    `auc` is the area under the ROC curve: the share of pairs of an asset of the ceiling and one of the floor in which
    that of the ceiling has the better score; equal scores count half (Hanley and McNeil 1982).
    """
    ceiling, floor = str(run.config.bound("ceiling")), str(run.config.bound("floor"))
    shown, rows = metrics.separated(run.config), []
    for part, metric, frame in parts(run, assets.set_index(["method", "set"])):
        if metric in shown:
            above, below = (frame.xs(name, level="method")[metric.name].dropna() for name in (ceiling, floor))
            if len(above) and len(below):
                auc = float(mannwhitneyu(above, below).statistic) / (len(above) * len(below))
                auc = auc if metric.direction == "higher" else 1 - auc
                rows.append((part, metric.name, ceiling, floor, auc, len(above), len(below)))
    return pd.DataFrame(rows, columns=COLUMNS)


def table(run: Run, frame: pd.DataFrame) -> Table:
    """The table for readers: a row per set, a column per score."""
    ceiling, floor = (label(run, str(run.config.bound(which))) for which in ("ceiling", "floor"))
    found: dict[Any, float] = frame.set_index(["set", "metric"])["auc"].to_dict()
    shown = [metric for metric in metrics.separated(run.config) if metric.name in set(frame["metric"])]
    rows = []
    for part, of_part in frame.groupby("set", sort=False):
        cells = [Cell(number(found.get((part, metric.name), math.nan), 3)) for metric in shown]
        assets = ", ".join(map(str, of_part["ceiling_assets"].unique()))  # if they differ, in the metrics' order
        rows.append((Cell(str(part)), *cells, Cell(assets)))
    caption = (
        f"How well each score tells {ceiling} from {floor}: the share of pairs of their assets in which that of "
        f"{ceiling} has the better score, where equal scores count half (area under the ROC curve). 1: always; 0.5: a "
        "coin. Over all sets together, it also says whether scores of different sets can be compared."
    )
    header = ("Set", *(metric.heading for metric in shown), "Assets of each")
    return Table("separation", caption, header, 1, tuple(rows), "No score has values for both.")
