"""A run's numbers laid out for people: captions, rounding, the best in bold, links to what is behind a number."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from jsdpipe import metrics
from jsdpipe.metrics import Group, Metric
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.markup import Cell, Table
from jsdpipe.report.statistics import FEWEST
from jsdpipe.report.summary import ALL_SETS

NOTHING = "\N{EN DASH}"
TOO_FEW = "too few"
NO_BREAK = "\N{NO-BREAK SPACE}"


def label(run: Run, method: str) -> str:
    """A method's name for people."""
    return run.config.methods[method].label or method


def group_link(part: str, method: str) -> str:
    """Where the report lists the assets behind a number of a set and method."""
    return "assets.html" if part == ALL_SETS else f"assets.html#{part}.{method}"


def asset_link(part: str, prompt_id: str, method: str, seed: int) -> str:
    """Where the report shows an asset."""
    return f"prompts/{part}/{prompt_id}.html#{method}.{seed}"


def summarised(run: Run, assets: pd.DataFrame, summary: pd.DataFrame) -> list[Table]:
    """A table for each group of the run's metrics."""
    return [_summarised(run, assets, summary, *of) for of in metrics.by_group(run.config).items()]


def _summarised(run: Run, assets: pd.DataFrame, summary: pd.DataFrame, group: Group, shown: Sequence[Metric]) -> Table:
    floors = " and ".join(filter(None, (metric.floor for metric in shown)))
    ungraded = int((assets["status"] == "ungraded").sum())
    said = (
        group.about.replace("{seeds}", str(len(run.config.seeds))),
        _means(run, summary, shown),
        f"A failed asset counts with {floors}." if floors else "Failed assets are left out.",
        group.notes,
        group.ungraded.replace("{count}", str(ungraded)) if ungraded else "",
    )
    counted = ("Prompts", "Assets", "Failed") if group.counts_assets else ("Prompts",)
    rows = _rows(run, summary, shown, _assets(assets) if group.counts_assets else _prompts(summary, shown))
    return Table(group.name, " ".join(filter(None, said)), _header(shown, *counted), 2, rows, group.empty)


def paired(run: Run, comparison: pd.DataFrame, reference: str) -> list[Table]:
    """A method's differences to each other one over the same prompts, a row a set and other method.

    A table for each that the groups of the run's metrics are compared in.
    """
    against = _against(comparison, reference)
    return [_paired(run, against, reference, *of) for of in metrics.compared(run.config).items()]


def _paired(run: Run, against: Sequence[dict[str, Any]], reference: str, name: str, columns: Sequence[Metric]) -> Table:
    level = 1 - run.config.report.confidence
    names = {metric.name for metric in columns}
    found = {(row["set"], row["method"], row["metric"]): row for row in against if row["metric"] in names}
    shown = [metric for metric in columns if any(metric.name == of for _, _, of in found)]
    rows = []
    for part, method in dict.fromkeys((part, method) for part, method, _ in found):
        cells, prompts = [Cell(part), Cell(label(run, method), color=style.color(run, method))], []
        for metric in shown:
            if (row := found.get((part, method, metric.name))) is None:
                cells.append(Cell(NOTHING))
                continue
            p = row["p_value"]
            # may be broken between them, but not within
            aside = _interval(metric.difference, row["low"], row["high"]).replace(" ", NO_BREAK)
            aside += "" if pd.isna(p) else f", p{NO_BREAK}" + (f"{p:.3f}" if p >= 0.001 else f"<{NO_BREAK}0.001")
            cells.append(Cell(metric.difference(row["difference"]), aside, p <= level, group_link(part, method)))
            prompts.append(str(row["prompts"]))
        rows.append((*cells, Cell(", ".join(dict.fromkeys(prompts)))))
    caption = (
        f"Paired comparison over the prompts that both methods have numbers of: mean of {label(run, reference)} minus "
        f"the method (the seeds of a prompt are averaged first), with its {run.config.report.confidence:.0%} bootstrap "
        "interval over prompts and the p-value of a two-sided sign-flip test. The p-values are not corrected for the "
        f"number of comparisons; bold: p ≤ {level:.2g}. Of n prompts, the least possible p is 2/2ⁿ."
        + _too_few(row["low"] for row in found.values())
    )
    empty = "There is nothing to compare: no prompt has numbers of two methods."
    return Table(name, caption, _header(shown, "Prompts"), 2, tuple(rows), empty)


def _against(comparison: pd.DataFrame, reference: str) -> list[dict[str, Any]]:
    """The comparisons of `reference` with each other `method`, turned so that the other is what is subtracted."""
    turned = comparison.assign(
        a=comparison["b"],
        b=comparison["a"],
        difference=-comparison["difference"],
        low=-comparison["high"],
        high=-comparison["low"],
    )
    # in the order of the comparisons
    both = pd.concat([comparison, turned]).sort_index(kind="stable")
    return both[both["a"] == reference].rename(columns={"b": "method"}).to_dict("records")


def failures(run: Run, assets: pd.DataFrame) -> Table:
    """Every asset that failed or has no grade, with the first stage that failed, and why."""
    rows = _asset_rows(run, assets[assets["status"] != "ok"], "failed_at", "reason")
    header = ("Set", "Method", "Prompt", "Stage", "Reason", "Seed")
    caption = "Assets that failed or have no grade: the first stage that failed, and why."
    return Table("failures", caption, header, 5, rows, "No asset failed.", wrapped=(2, 4))


def notes(run: Run, assets: pd.DataFrame) -> Table:
    """Every asset that a stage has a note on."""
    rows = _asset_rows(run, assets[assets["notes"].notna()], "notes")
    header = ("Set", "Method", "Prompt", "Notes", "Seed")
    caption = "Notes on assets. They are scored like any other; the note says what to bear in mind."
    return Table("notes", caption, header, 4, rows, "There is nothing to note.", wrapped=(2, 3))


def _asset_rows(run: Run, assets: pd.DataFrame, *columns: str) -> tuple[tuple[Cell, ...], ...]:
    """A row an asset, set by set: what it is, the texts of some columns, its seed."""
    return tuple(
        (
            Cell(row["set"]),
            Cell(label(run, row["method"]), color=style.color(run, row["method"])),
            Cell(row["prompt"], link=asset_link(row["set"], row["prompt_id"], row["method"], row["seed"])),
            *(Cell(row[column]) for column in columns),
            Cell(str(row["seed"])),
        )
        for part in run.config.sets
        for row in assets[assets["set"] == part].to_dict("records")
    )


def _header(shown: Iterable[Metric], *counts: str) -> tuple[str, ...]:
    return ("Set", "Method", *(metric.heading for metric in shown), *counts)


def _means(run: Run, summary: pd.DataFrame, shown: Sequence[Metric]) -> str:
    return (
        "mean over prompts (the seeds of a prompt are averaged first) with its "
        f"{run.config.report.confidence:.0%} bootstrap interval over prompts. Bold: the best of each set."
        + _too_few(summary.loc[summary["metric"].isin([metric.name for metric in shown]), "low"])
    )


def _too_few(lows: Iterable[float]) -> str:
    """What a caption says where any of its intervals, of these low ends, is missing."""
    said = f" Fewer than {FEWEST} prompts are {TOO_FEW} for an interval or a test."
    return said if any(map(pd.isna, lows)) else ""


def _assets(assets: pd.DataFrame) -> Callable[[str, str], tuple[Cell, ...]]:
    """The numbers of prompts, assets and failures behind a row."""

    def counts(part: str, method: str) -> tuple[Cell, ...]:
        frame = assets[(assets["method"] == method) & ((assets["set"] == part) | (part == ALL_SETS))]
        failed = int((frame["status"] == "failed").sum())
        prompts = len(frame[["set", "prompt_id"]].drop_duplicates())
        return Cell(str(prompts)), Cell(str(len(frame))), Cell(str(failed), link="#failures" if failed else "")

    return counts


def _prompts(summary: pd.DataFrame, shown: Sequence[Metric]) -> Callable[[str, str], tuple[Cell, ...]]:
    """The number of prompts behind a row; the numbers, in the order of the metrics, where they differ."""
    found = summary.set_index(["set", "method", "metric"])["prompts"].to_dict()

    def counts(part: str, method: str) -> tuple[Cell, ...]:
        keys = [(part, method, metric.name) for metric in shown]
        return (Cell(", ".join(dict.fromkeys(str(found[key]) for key in keys if key in found))),)

    return counts


def _rows(
    run: Run, summary: pd.DataFrame, shown: Sequence[Metric], counts: Callable[[str, str], tuple[Cell, ...]]
) -> tuple[tuple[Cell, ...], ...]:
    """A row a set and method that have the metrics; `counts(set, method)` makes its last cells."""
    found = {(row["set"], row["method"], row["metric"]): row for row in summary.to_dict("records")}
    rows = []
    for part in dict.fromkeys(summary["set"]):
        present = [m for m in run.config.methods if any((part, m, metric.name) in found for metric in shown)]
        best = {
            metric.name: _best(
                metric, [found[key]["mean"] for m in present if (key := (part, m, metric.name)) in found]
            )
            for metric in shown
        }
        for method in present:
            cells = [Cell(part), Cell(label(run, method), color=style.color(run, method))]
            for metric in shown:
                if (value := found.get((part, method, metric.name))) is None:
                    cells.append(Cell(NOTHING))
                    continue
                text = metric.text(value["mean"])
                interval = _interval(metric.text, value["low"], value["high"])
                cells.append(Cell(text, interval, text == best[metric.name], group_link(part, method)))
            rows.append((*cells, *counts(part, method)))
    return tuple(rows)


def _best(metric: Metric, means: Sequence[float]) -> str | None:
    """The best mean as it is shown, so that what looks equal is equally bold; None where all look equal."""
    if len({metric.text(mean) for mean in means}) < 2:
        return None
    return metric.text(max(means) if metric.direction == "higher" else min(means))


def _interval(text: Callable[[float], str], low: float, high: float) -> str:
    return TOO_FEW if pd.isna(low) else f"[{text(low)}, {text(high)}]"
