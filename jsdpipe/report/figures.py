"""The figures stage writes `results/<run>/figures/`: contact sheets, and charts as PNG and SVG."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from jsdpipe import metrics
from jsdpipe.base.files import atomic_folder
from jsdpipe.metrics import Metric
from jsdpipe.pipeline.run import Run
from jsdpipe.report import response_chart, responses, style, worth_chart
from jsdpipe.report.collect import collect
from jsdpipe.report.contact import write_sheets
from jsdpipe.report.presentation import label
from jsdpipe.report.regularizer_shares import NAME, draw, median_shares
from jsdpipe.report.summary import ALL_SETS, per_prompt, summarise
from jsdpipe.report.tables import measure

WIDEST = 13  # a figure's width in inches
MOST_DOTS = 40  # prompts that are drawn as dots


def write(run: Run) -> None:
    """Write the figures of a run, replacing older ones; all its shards must be done."""
    results = collect(run)
    values = per_prompt(run, results)
    summary = summarise(run, values)
    with atomic_folder(run.layout.figures) as folder, rc_context(style.MATPLOTLIB):
        write_sheets(run, results.assets, folder)
        figures = {
            group.name: _chart(run, values, summary, shown) for group, shown in metrics.by_group(run.config).items()
        }
        if run.config.truth:
            figures["worth"] = worth_chart.draw(run, measure(run, results, values)["worth"])
        if shares := median_shares(run):
            figures[NAME] = draw(run, shares)
            _legend(figures[NAME], figures[NAME].axes[0].lines)
        if run.config.damages:
            figures["responses"] = response_chart.draw(run, responses.respond(run, values))
            handles, _ = figures["responses"].axes[0].get_legend_handles_labels()
            if len(handles) > 1:
                _legend(figures["responses"], handles)
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})


def _chart(run: Run, values: pd.DataFrame, summary: pd.DataFrame, shown: Sequence[Metric]) -> Figure:
    """A figure with one panel per metric: sets are grouped, with a bar or point, an interval and dots per contestant.

    Controls are lines across a set, with a band for the interval; those with a dose have a figure of their own.
    """
    methods = run.config.contestants
    groups = max(summary["set"].nunique(), 1)
    panel = max(2.6, 0.6 + groups * (0.35 + 0.22 * len(methods)))
    rows = min(math.ceil(panel * len(shown) / WIDEST), len(shown))
    columns = math.ceil(len(shown) / rows)
    figure = Figure(figsize=(panel * columns, 0.7 + 2.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, metric in zip(panels, shown, strict=False):
        _panel(axes, run, values, summary, metric)
    for axes in panels[len(shown) :]:
        axes.remove()
    handles, _ = figure.axes[0].get_legend_handles_labels()
    if handles:
        _legend(figure, sorted(handles, key=lambda handle: isinstance(handle, LineCollection)))  # controls last
    return figure


def _legend(figure: Figure, handles: Sequence[Any]) -> None:
    """Draw the legend of the methods above the panels, in as few rows as fit into the figure's width."""
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=handles, loc="outside upper left", ncols=columns, borderaxespad=0.2)
        size = legend.get_window_extent()
        if size.width <= figure.bbox.width:
            break
        legend.remove()


def _panel(axes: Axes, run: Run, values: pd.DataFrame, summary: pd.DataFrame, metric: Metric) -> None:
    axes.set_title(metric.heading)
    rows = summary[summary.metric == metric.name]
    parts = list(rows["set"].unique())
    if not parts:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color="#888888")
        axes.set(xticks=[], yticks=[])
        return
    methods = run.config.contestants
    width = 0.8 / max(len(methods), 1)
    for place, method in enumerate(methods):
        of_method = rows[rows.method == method].set_index("set").reindex(parts)
        x = np.arange(len(parts)) + (place - (len(methods) - 1) / 2) * width
        color, mean = style.color(run, method), of_method["mean"].to_numpy()
        if metric.full:
            axes.bar(x, mean, width * 0.9, color=color, alpha=0.85, label=label(run, method))
        else:
            axes.plot(x, mean, "o", color=color, markersize=7, label=label(run, method), zorder=4)
        _prompt_dots(axes, values, metric, method, parts, x, width)
        errors = [mean - of_method["low"], of_method["high"] - mean]
        line = "#222222" if metric.full else color
        axes.errorbar(x, mean, errors, fmt="none", ecolor=line, elinewidth=1.6, zorder=5)
    graded = responses.graded(run)
    for control in (name for name in run.config.controls if name not in graded):
        _lines(axes, run, rows[rows.method == control].set_index("set").reindex(parts), control)
    axes.set_xticks(np.arange(len(parts)), parts)
    axes.set_xlim(-0.6, len(parts) - 0.4)
    if metric.full:
        axes.set_ylim(min(axes.dataLim.y0, 0), max(axes.get_ylim()[1], metric.full))
    if metric.format.endswith("%"):
        axes.yaxis.set_major_formatter(PercentFormatter(1))


def _lines(axes: Axes, run: Run, of_sets: pd.DataFrame, control: str) -> None:
    """Draw a control's means as a line across each set, on a band over the interval."""
    color, style_of_line = style.color(run, control), style.line(run, control)
    left, right = np.arange(len(of_sets)) - 0.45, np.arange(len(of_sets)) + 0.45
    means = of_sets["mean"].to_numpy()
    axes.hlines(means, left, right, color, style_of_line, linewidth=1.6, label=label(run, control), zorder=6)
    for start, end, low, high in zip(left, right, of_sets["low"], of_sets["high"], strict=True):
        axes.fill_between([start, end], low, high, color=color, alpha=0.12, linewidth=0, zorder=2)


def _prompt_dots(
    axes: Axes, values: pd.DataFrame, metric: Metric, method: str, parts: list[str], x: np.ndarray, width: float
) -> None:
    """Draw one dot per prompt, spread over the bar in the order of the prompts, if there are at most `MOST_DOTS`."""
    for center, part in zip(x, parts, strict=True):
        frame = values.xs(method, level="method")
        column = (frame if part == ALL_SETS else frame.xs(part, level="set"))[metric.name].dropna().to_numpy()
        if len(column) > MOST_DOTS:
            continue
        spread = (np.arange(len(column)) + 0.5) / max(len(column), 1) - 0.5
        axes.plot(center + spread * width * 0.7, column, ".", color="#222222", alpha=0.35, markersize=5, zorder=3)
