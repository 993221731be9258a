"""The figure of how metrics respond to damages."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from jsdpipe import metrics
from jsdpipe.config.control import DOSES
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.presentation import label
from jsdpipe.report.responses import graded, ordered, over_all


def draw(run: Run, responses: pd.DataFrame) -> Figure:
    """The figure: a row of panels per metric, a column per damage by dose, and one for all damages without a dose.

    Doses have equal distances, because they often differ by factors.
    """
    found = over_all(run, responses)
    shown = [metric for metric in metrics.of_run(run.config) if metric.name in set(found["metric"])]
    known = ordered(run).values()
    columns: dict[str, list[Any]] = {}  # the places along the x axis
    for control in graded(run).values():
        columns.setdefault(control.control, [0.0]).append(control.dose)
    columns = {name: sorted(set(doses)) for name, doses in columns.items()}
    if plain := [control.control for control in known if control.dose is None]:
        columns["without dose"] = [*dict.fromkeys(plain)]
    figure = Figure(figsize=(1 + 1.65 * len(columns), 0.9 + 1.5 * max(len(shown), 1)), layout="constrained")
    grid = figure.subplots(max(len(shown), 1), len(columns), squeeze=False, sharex="col", sharey="row")
    for panels, metric in zip(grid, shown, strict=False):
        panels[0].set_ylabel(metric.heading)
        if metric.format.endswith("%"):
            panels[0].yaxis.set_major_formatter(PercentFormatter(1))
        for axes, (column, places) in zip(panels, columns.items(), strict=True):
            of_column = found["control"].isin([column] if column in DOSES else places)
            of_panel = found[(found["metric"] == metric.name) & of_column]
            for method in dict.fromkeys(of_panel["of"]):
                of_method = of_panel[of_panel["of"] == method]
                if column in DOSES:
                    _line(axes, run, method, of_method, places)
                else:
                    _points(axes, run, method, of_method, places)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(column)
    for axes, (column, places) in zip(grid[-1], columns.items(), strict=True):
        if column in DOSES:
            axes.set_xticks(range(len(places)), [f"{dose:g}{DOSES[column].sign}" for dose in places])
        else:
            axes.set_xticks(range(len(places)), places, rotation=30, ha="right")
        axes.set_xlim(-0.5, len(places) - 0.5)
    for axes in grid.flatten():
        axes.axhline(0, color="#888888", linewidth=0.8, zorder=1)
    return figure


def _line(axes: Axes, run: Run, method: str, of_method: pd.DataFrame, doses: list[float]) -> None:
    """Draw the differences by dose, with 0 at dose 0, on a band over the intervals."""
    undamaged = {"dose": 0.0, "difference": 0.0, "low": 0.0, "high": 0.0}
    rows = pd.concat([of_method[list(undamaged)], pd.DataFrame([undamaged])]).sort_values("dose")
    x, color = [doses.index(dose) for dose in rows["dose"]], style.color(run, method)
    axes.plot(x, rows["difference"], "o-", color=color, markersize=3.5, label=label(run, method), zorder=3)
    axes.fill_between(x, rows["low"], rows["high"], color=color, alpha=0.18, linewidth=0, zorder=2)


def _points(axes: Axes, run: Run, method: str, of_method: pd.DataFrame, controls: list[str]) -> None:
    """Draw a point with its interval for each damage without dose."""
    x, y = [controls.index(control) for control in of_method["control"]], of_method["difference"]
    errors, color = [y - of_method["low"], of_method["high"] - y], style.color(run, method)
    axes.errorbar(x, y, errors, fmt="o", color=color, markersize=4, label=label(run, method), zorder=3)
