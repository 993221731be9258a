"""How metrics respond to damages, by dose: paired differences to the undamaged assets, as a table and a figure."""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from jsdpipe import metrics
from jsdpipe.config.control import DOSES, Control
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.markup import Cell, Table
from jsdpipe.report.presentation import NOTHING, interval, label, too_few
from jsdpipe.report.statistics import mean_interval
from jsdpipe.report.summary import ALL_SETS, frame_of, parts

NAME = "responses"
RESPONSES = ["set", "metric", "method", "of", "control", "dose", "difference", "low", "high", "prompts"]


def respond(run: Run, values: pd.DataFrame) -> pd.DataFrame:
    """Each damage minus the method that it is made from, with columns RESPONSES; `values` is from `per_prompt`.

    They are means over the prompts that have the metric for both, and in which there was something to damage.
    """
    config, rows = run.config, []
    prompts = {(part, prompt.id): prompt for part, of_set in run.prompts.items() for prompt in of_set}
    for part, metric, frame in parts(run, values):
        wide = frame[metric.name].unstack("method")
        for name, control in ordered(run).items():
            damaged = [not control.spares(prompts[key]) for key in wide.index]
            pairs = wide.loc[damaged, [name, control.of]].dropna()
            if len(pairs):
                key = (config.seed, part, name, control.of, metric.name)
                differences = (pairs[name] - pairs[control.of]).to_numpy()
                found = mean_interval(differences, config.report.confidence, config.report.bootstrap, *key)
                dose = math.nan if control.dose is None else control.dose
                of_damage = (part, metric.name, name, control.of, control.control, dose)
                rows.append((*of_damage, found.mean, found.low, found.high, found.n))
    return frame_of(rows, RESPONSES)


def ordered(run: Run) -> dict[str, Control]:
    """The damages by name, in the order of their kinds and doses; those without a dose come last."""
    place = {name: number for number, name in enumerate(DOSES)}

    def order(item: tuple[str, Control]) -> tuple[int, str, str, float]:
        control = item[1]
        return place.get(control.control, len(place)), control.control, control.of, control.dose or 0

    return dict(sorted(run.config.damages.items(), key=order))


def table(run: Run, responses: pd.DataFrame) -> Table:
    """The table for readers: a row per damage and dose, a column per metric, over all sets together."""
    found = _over_all(run, responses)
    shown = [metric for metric in metrics.of_run(run.config) if metric.name in set(found["metric"])]
    of_metric = {(row["method"], row["metric"]): row for row in found.to_dict("records")}
    rows = []
    for name, control in ordered(run).items():
        cells, prompts = [], []
        for metric in shown:
            if (row := of_metric.get((name, metric.name))) is None:
                cells.append(Cell(NOTHING))
                continue
            clear = row["low"] > 0 or row["high"] < 0
            aside = interval(metric.difference, row["low"], row["high"])
            cells.append(Cell(metric.difference(row["difference"]), aside, clear))
            prompts.append(str(row["prompts"]))
        dose = NOTHING if control.dose is None else f"{control.dose:g}{DOSES[control.control].sign}"
        of = Cell(label(run, control.of), color=style.color(run, control.of))
        rows.append((Cell(control.control), of, Cell(dose), *cells, Cell(", ".join(dict.fromkeys(prompts)))))
    units = "; ".join(
        f"{control}: {DOSES[control].unit}" for control in dict.fromkeys(of.control for of in graded(run).values())
    )
    caption = (
        "Damaged minus undamaged assets of the same prompts: mean over prompts (the seeds of a prompt are averaged "
        f"first) with its {run.config.report.confidence:.0%} bootstrap interval over prompts. Bold: the interval is on "
        f"one side of 0.{too_few(row['low'] for row in of_metric.values())}" + (f" Doses: {units}." if units else "")
    )
    header = ("Damage", "Of", "Dose", *(metric.heading for metric in shown), "Prompts")
    return Table(NAME, caption, header, 2, tuple(rows), "No prompt has values with and without damage.")


def graded(run: Run) -> dict[str, Control]:
    """The damages that have a dose."""
    return {name: control for name, control in ordered(run).items() if control.dose is not None}


def _over_all(run: Run, responses: pd.DataFrame) -> pd.DataFrame:
    """The rows over all sets together."""
    names = list(run.config.sets)
    return responses[responses["set"] == (ALL_SETS if len(names) > 1 else names[0])]


def draw(run: Run, responses: pd.DataFrame) -> Figure:
    """The figure: a row of panels per metric, a column per damage by dose, and one for all damages without a dose.

    Doses have equal distances, because they often differ by factors.
    """
    found = _over_all(run, responses)
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
