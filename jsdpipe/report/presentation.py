"""A run's numbers as tables for readers: captions, rounding, the best in bold, links to the data behind a number."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import pandas as pd

from jsdpipe import metrics
from jsdpipe.metrics import Group, Metric
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.costs import budget
from jsdpipe.report.markup import Cell, Table
from jsdpipe.report.statistics import FEWEST
from jsdpipe.report.summary import ALL_SETS

NOTHING = "\N{EN DASH}"
TOO_FEW = "too few"
NO_BREAK = "\N{NO-BREAK SPACE}"
SPENT = ("U-Net samples", "Seconds")
PLACE = "Place"


def label(run: Run, method: str) -> str:
    """A method's name in tables and figures."""
    return run.config.methods[method].label or method


def family(run: Run, method: str) -> str:
    """A method's family, with an asterisk if a part of its public configuration cannot be reproduced here."""
    found = run.config.methods[method].family or run.config.methods[method].kind
    return f"{found}*" if found == "published" and run.recipes[method].unpublished else found


def group_link(part: str, method: str) -> str:
    """The link to the assets behind a number of a set and method."""
    return "assets.html" if part == ALL_SETS else f"assets.html#{part}.{method}"


def asset_link(part: str, prompt_id: str, method: str, seed: int) -> str:
    """The link to an asset."""
    return f"prompts/{part}/{prompt_id}.html#{method}.{seed}"


def number(value: float, decimals: int = 0) -> str:
    """A known number with thousands separated, else a dash."""
    return NOTHING if pd.isna(value) else f"{value:z,.{decimals}f}"


def unpublished(run: Run) -> str:
    """For each method with an asterisk, a sentence with what of its public configuration cannot be reproduced here."""
    return " ".join(
        f"* {label(run, name)}: not the published scene: {recipe.unpublished}."
        for name, recipe in run.recipes.items()
        if family(run, name).endswith("*")
    )


def summarised(run: Run, assets: pd.DataFrame, summary: pd.DataFrame, costs: pd.DataFrame) -> list[Table]:
    """A table for each group of the run's metrics; `costs` is from `jsdpipe.report.costs`."""
    groups = metrics.by_group(run.config)
    return [_summarised(run, assets, summary, costs, group, shown) for group, shown in groups.items()]


def _summarised(
    run: Run, assets: pd.DataFrame, summary: pd.DataFrame, costs: pd.DataFrame, group: Group, shown: Sequence[Metric]
) -> Table:
    *others, last = list(filter(None, (metric.floor for metric in shown))) or [""]
    floors = f"{', '.join(others)} and {last}" if others else last
    ungraded = int((assets["status"] == "ungraded").sum())
    sentences = (
        group.about.replace("{seeds}", str(len(run.config.seeds))),
        _means(run, summary, shown),
        _controls(run, summary, shown),
        _effort(run),
        f"A failed asset counts with {floors}." if floors else "Failed assets are left out.",
        group.notes,
        group.ungraded.replace("{count}", str(ungraded)) if ungraded else "",
    )
    counted = ("Prompts", "Assets", "Failed") if group.counts_assets else ("Prompts",)
    placed = {str(name) for name in summary.loc[summary["place"].notna(), "metric"]}
    count = _assets(assets) if group.counts_assets else _prompts(summary, shown)
    rows, apart = _rows(run, summary, costs, shown, placed, count)
    headings = [text for metric in shown for text in (metric.heading, *([PLACE] if metric.name in placed else []))]
    caption = " ".join(filter(None, sentences))
    header = _header(headings, *counted)
    return Table(group.name, caption, header, 3, rows, group.empty, note=unpublished(run), apart=apart)


def paired(run: Run, comparison: pd.DataFrame, costs: pd.DataFrame, reference: str) -> list[Table]:
    """The tables of paired comparisons: `reference` minus each other method, with one row per set and method."""
    against = _against(comparison, reference)
    tables = metrics.compared(run.config)
    return [_paired(run, against, costs, reference, name, columns) for name, columns in tables.items()]


def _paired(
    run: Run,
    against: Sequence[dict[str, Any]],
    costs: pd.DataFrame,
    reference: str,
    name: str,
    columns: Sequence[Metric],
) -> Table:
    level = 1 - run.config.report.confidence
    names = {metric.name for metric in columns}
    found = {(row["set"], row["method"], row["metric"]): row for row in against if row["metric"] in names}
    compared = {metric for _, _, metric in found}
    shown = [metric for metric in columns if metric.name in compared]
    rows = []
    for part, method in dict.fromkeys((part, method) for part, method, _ in found):
        cells, prompts = [Cell(part), *_named(run, method)], []
        for metric in shown:
            if (row := found.get((part, method, metric.name))) is None:
                cells.append(Cell(NOTHING))
                continue
            p = row["p_value"]
            # a line may break between the interval and the p-value, but not within them
            aside = interval(metric.difference, row["low"], row["high"]).replace(" ", NO_BREAK)
            aside += "" if pd.isna(p) else f", p{NO_BREAK}" + (f"{p:.3f}" if p >= 0.001 else f"<{NO_BREAK}0.001")
            cells.append(Cell(metric.difference(row["difference"]), aside, p <= level, group_link(part, method)))
            prompts.append(str(row["prompts"]))
        rows.append((*cells, Cell(", ".join(dict.fromkeys(prompts))), *_spent(costs, part, method)))
    caption = (
        f"Paired comparison over the prompts for which both methods have values: mean of {label(run, reference)} minus "
        f"the method (the seeds of a prompt are averaged first), with its {run.config.report.confidence:.0%} bootstrap "
        "interval over prompts and the p-value of a two-sided sign-flip test. The p-values are not corrected for the "
        f"number of comparisons; bold: p ≤ {level:.2g}. With n prompts, the smallest possible p is 2/2ⁿ."
        + too_few(row["low"] for row in found.values())
        + f" {_effort(run)} {_about(run, costs, reference)}"
    )
    empty = "There is nothing to compare: no prompt has values for two methods."
    return Table(
        name,
        caption,
        _header([metric.heading for metric in shown], "Prompts"),
        3,
        tuple(rows),
        empty,
        note=unpublished(run),
    )


def _against(comparison: pd.DataFrame, reference: str) -> list[dict[str, Any]]:
    """The comparisons of `reference` with each other `method`, with signs for `reference` minus `method`."""
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
    """The assets that failed or have no grade, with the first stage that failed and the reason."""
    rows = _asset_rows(run, assets[assets["status"] != "ok"], "failed_at", "reason")
    header = ("Set", "Method", "Family", "Prompt", "Stage", "Reason", "Seed")
    caption = "Assets that failed or have no grade, with the first stage that failed and the reason."
    return Table("failures", caption, header, 6, rows, "No asset failed.", wrapped=(3, 5))


def notes(run: Run, assets: pd.DataFrame) -> Table:
    """The assets that have notes."""
    rows = _asset_rows(run, assets[assets["notes"].notna()], "notes")
    header = ("Set", "Method", "Family", "Prompt", "Notes", "Seed")
    caption = "Notes on assets. These assets are scored like any other; a note says what to consider."
    return Table("notes", caption, header, 5, rows, "There is nothing to note.", wrapped=(3, 4))


def _asset_rows(run: Run, assets: pd.DataFrame, *columns: str) -> tuple[tuple[Cell, ...], ...]:
    """One row per asset, ordered by set: set, method, family, prompt, the texts of some columns, and seed."""
    return tuple(
        (
            Cell(row["set"]),
            *_named(run, row["method"]),
            Cell(row["prompt"], link=asset_link(row["set"], row["prompt_id"], row["method"], row["seed"])),
            *(Cell(row[column]) for column in columns),
            Cell(str(row["seed"])),
        )
        for part in run.config.sets
        for row in assets[assets["set"] == part].to_dict("records")
    )


def _header(headings: Iterable[str], *counts: str) -> tuple[str, ...]:
    return ("Set", "Method", "Family", *headings, *counts, *SPENT)


def _named(run: Run, method: str) -> tuple[Cell, Cell]:
    """A method's name and family."""
    return Cell(label(run, method), color=style.color(run, method)), Cell(family(run, method))


def _spent(costs: pd.DataFrame, part: str, method: str) -> tuple[Cell, Cell]:
    """What an asset took: U-Net samples and seconds."""
    row = costs.loc[(part, method)]
    return Cell(number(row["unet_samples"])), Cell(number(row["seconds"], 1))


def _about(run: Run, costs: pd.DataFrame, method: str) -> str:
    """A sentence with a method's family and U-Net samples; no seconds, so that captions do not differ between runs."""
    samples = costs.loc[(ALL_SETS, method), "unet_samples"]
    took = "" if pd.isna(samples) else f" and took {number(samples)} U-Net samples an asset"
    return f"{label(run, method)} is {family(run, method)}{took}."


def _effort(run: Run) -> str:
    """Sentences for the caption on what the methods were given and took."""
    return (
        f"{budget(run)} U-Net samples (latents in forward passes) are means over the assets that could be generated. "
        "Seconds are the wall-clock time of the jobs that generate, with what they load and try out first, over all "
        "their assets; of a job that was resumed, only the last start counts."
    ).strip()


def _means(run: Run, summary: pd.DataFrame, shown: Sequence[Metric]) -> str:
    return (
        "mean over prompts (the seeds of a prompt are averaged first) with its "
        f"{run.config.report.confidence:.0%} bootstrap interval over prompts. Bold: the best of each set."
        + too_few(summary.loc[summary["metric"].isin([metric.name for metric in shown]), "low"])
    )


def _controls(run: Run, summary: pd.DataFrame, shown: Sequence[Metric]) -> str:
    """Sentences for the caption on truth and controls, if the run has any."""
    if not run.config.controls:
        return ""
    apart = (
        "Below the others, and not compared with them: " + ", ".join(label(run, n) for n in run.config.controls) + "."
    )
    floor, ceiling = run.config.bound("floor"), run.config.bound("ceiling")
    places = summary.loc[summary["metric"].isin([metric.name for metric in shown]), "place"]
    if not (floor and ceiling and places.notna().any()):
        return apart
    return (
        f"{apart} {PLACE}: where a mean lies between those of {label(run, floor)} (0) and {label(run, ceiling)} (100) "
        "in the same set, if the second is the better one."
    )


def too_few(lows: Iterable[float]) -> str:
    """A sentence for the caption if any interval is missing; `lows` are the lower ends."""
    sentence = f" Fewer than {FEWEST} prompts are {TOO_FEW} for an interval or a test."
    return sentence if any(map(pd.isna, lows)) else ""


def _assets(assets: pd.DataFrame) -> Callable[[str, str], tuple[Cell, ...]]:
    """The numbers of prompts, assets and failures behind a row."""

    def counts(part: str, method: str) -> tuple[Cell, ...]:
        frame = assets[(assets["method"] == method) & ((assets["set"] == part) | (part == ALL_SETS))]
        failed = int((frame["status"] == "failed").sum())
        prompts = len(frame[["set", "prompt_id"]].drop_duplicates())
        return Cell(str(prompts)), Cell(str(len(frame))), Cell(str(failed), link="#failures" if failed else "")

    return counts


def _prompts(summary: pd.DataFrame, shown: Sequence[Metric]) -> Callable[[str, str], tuple[Cell, ...]]:
    """The number of prompts behind a row; if it differs between metrics, all numbers in the metrics' order."""
    found = summary.set_index(["set", "method", "metric"])["prompts"].to_dict()

    def counts(part: str, method: str) -> tuple[Cell, ...]:
        keys = [(part, method, metric.name) for metric in shown]
        return (Cell(", ".join(dict.fromkeys(str(found[key]) for key in keys if key in found))),)

    return counts


def _rows(
    run: Run,
    summary: pd.DataFrame,
    costs: pd.DataFrame,
    shown: Sequence[Metric],
    placed: Collection[str],
    counts: Callable[[str, str], tuple[Cell, ...]],
) -> tuple[tuple[tuple[Cell, ...], ...], tuple[int, ...]]:
    """One row per set and method that has values, and the numbers of the controls' rows.

    The metrics `placed` have a second cell, and `counts(set, method)` makes a row's last cells.
    """
    found = {(row["set"], row["method"], row["metric"]): row for row in summary.to_dict("records")}
    contestants = run.config.contestants
    rows: list[tuple[Cell, ...]] = []
    apart = []
    for part in dict.fromkeys(summary["set"]):
        present = [
            m for m in (*contestants, *run.config.controls) if any((part, m, metric.name) in found for metric in shown)
        ]
        best = {
            metric.name: _best(
                metric, [found[key]["mean"] for m in contestants if (key := (part, m, metric.name)) in found]
            )
            for metric in shown
        }
        for method in present:
            cells = [Cell(part), *_named(run, method)]
            for metric in shown:
                value = found.get((part, method, metric.name))
                if value is None:
                    cells.append(Cell(NOTHING))
                else:
                    text = metric.text(value["mean"])
                    aside = interval(metric.text, value["low"], value["high"])
                    best_one = method in contestants and text == best[metric.name]
                    cells.append(Cell(text, aside, best_one, group_link(part, method)))
                if metric.name in placed:
                    cells.append(Cell(number(value["place"]) if value else NOTHING))
            if method not in contestants:
                apart.append(len(rows))
            rows.append((*cells, *counts(part, method), *_spent(costs, part, method)))
    return tuple(rows), tuple(apart)


def _best(metric: Metric, means: Sequence[float]) -> str | None:
    """The best mean as text, so that means that look equal are all bold; None if all look equal."""
    if len({metric.text(mean) for mean in means}) < 2:
        return None
    return metric.text(max(means) if metric.direction == "higher" else min(means))


def interval(text: Callable[[float], str], low: float, high: float) -> str:
    """An interval in brackets, or that there are too few prompts for one."""
    return TOO_FEW if pd.isna(low) else f"[{text(low)}, {text(high)}]"
