"""How metrics respond to damages, by dose: paired differences to the undamaged assets, and their table."""

import math

import pandas as pd

from jsdpipe import metrics
from jsdpipe.config.control import DOSES, Control
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.markup import Cell, Table
from jsdpipe.report.presentation import NOTHING, interval, label, too_few
from jsdpipe.report.statistics import mean_interval
from jsdpipe.report.summary import ALL_SETS, frame_of, parts

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
    found = over_all(run, responses)
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
    return Table("responses", caption, header, 2, tuple(rows), "No prompt has values with and without damage.")


def graded(run: Run) -> dict[str, Control]:
    """The damages that have a dose."""
    return {name: control for name, control in ordered(run).items() if control.dose is not None}


def over_all(run: Run, responses: pd.DataFrame) -> pd.DataFrame:
    """The rows over all sets together."""
    names = list(run.config.sets)
    return responses[responses["set"] == (ALL_SETS if len(names) > 1 else names[0])]
