"""What is measured against the truth for readers: the tables `prdc` and `worth`."""

import pandas as pd

from jsdpipe.metrics import METRICS
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.markup import Cell, Table
from jsdpipe.report.prdc import NAMES, NEIGHBORS
from jsdpipe.report.presentation import NO_BREAK, NOTHING, TOO_FEW, family, label
from jsdpipe.report.statistics import FEWEST
from jsdpipe.report.summary import ALL_SETS
from jsdpipe.report.worth import ALL, ASSETS, COEFFICIENTS, FIDELITY, METHODS, SPREAD

NO_PROMPT = "all"
LABELS = {"tau_b": "τ-b", "spearman": "Spearman", SPREAD: "Spread"}


def distribution(run: Run, frame: pd.DataFrame) -> Table:
    """The table of precision, recall, density, coverage and spread."""
    by_prompt = frame["prompt"].notna().any()
    rows: list[tuple[Cell, ...]] = []
    apart = []
    for row in frame.to_dict("records"):
        if not run.config.methods[row["method"]].ranked:
            apart.append(len(rows))
        named = Cell(label(run, row["method"]), color=style.color(run, row["method"])), Cell(family(run, row["method"]))
        place = Cell(row["set"]), *([Cell(NO_PROMPT if pd.isna(row["prompt"]) else row["prompt"])] if by_prompt else [])
        numbers = [Cell(NOTHING if pd.isna(row[name]) else f"{row[name]:.2f}") for name in (*NAMES, "spread")]
        rows.append((*place, *named, *numbers, Cell(str(row["prompts"])), Cell(str(row["assets"]))))
    caption = (
        f"Precision and recall (arXiv 1904.06991), density and coverage (arXiv 2002.09797), with k = {NEIGHBORS}, "
        "against as many true instances as there are assets, by features of shape and color that are normalized by "
        "prompt. Precision and density say how many assets are like true ones, recall and coverage how much of the "
        "truth the assets reach; of two large samples of one distribution, density is 1 and coverage 0.88. Recall is "
        "also high for assets that are scattered far from the truth; coverage is not. Failed assets are like nothing. "
        "Spread: how far the seeds of a prompt are apart, over the same of true instances; 1 is right. If the truth is "
        "in the table, its row says what can be had with so few assets."
    )
    prompt = ("Prompt",) if by_prompt else ()
    header = ("Set", *prompt, "Method", "Family", *(f"{name.capitalize()} ↑" for name in NAMES))
    header = (*header, "Spread", "Prompts", "Assets")
    wrapped = (1,) if by_prompt else ()
    return Table("prdc", caption, header, 3 + len(prompt), tuple(rows), wrapped=wrapped, apart=tuple(apart))


def worth(run: Run, frame: pd.DataFrame) -> Table:
    """The table of what the metrics are worth, over all sets: the correlations with the first truth of each score."""
    part = ALL_SETS if len(run.config.sets) > 1 else next(iter(run.config.sets))
    chosen = frame[(frame["set"] == part) & frame["truth"].isin([FIDELITY[0], SPREAD])]
    found = {tuple(row[key] for key in ("among", "score", "truth", "ordered", "coefficient")): row
             for row in chosen.to_dict("records")}  # fmt: skip
    rows = []
    for among, score, truth in dict.fromkeys(key[:3] for key in found):
        cells = [
            _cell(found.get((among, score, truth, ordered, name)))
            for ordered in (ASSETS, METHODS)
            for name in COEFFICIENTS
        ]
        counts = (found.get((among, score, truth, ordered, "tau_b")) for ordered in (ASSETS, METHODS))
        prompts = ", ".join(dict.fromkeys(str(row["prompts"]) for row in counts if row))
        rows.append((Cell(among), Cell(METRICS[score].label), Cell(truth_label(truth)), *cells, Cell(prompts)))
    few = f" Fewer than {FEWEST} prompts are {TOO_FEW} for an interval." if chosen["low"].isna().any() else ""
    caption = (
        "What each metric is worth: how far it puts things into the same order as the truth, which is known here. 1: "
        "the same order; 0: no relation; below 0: the opposite order. Kendall's τ-b and Spearman's rank correlation: "
        "of the assets of a prompt, averaged over prompts (of scores for a prompt's seeds together, of the methods), "
        f"and of the methods' means, with {run.config.report.confidence:.0%} bootstrap intervals over prompts. A "
        f"metric that gives all the same value counts with 0. {ALL.capitalize()} include truth and controls.{few} The "
        "CSV table has other truths, and each set."
    )
    columns = [f"{LABELS[name]}, {ordered}" for ordered in (ASSETS, METHODS) for name in COEFFICIENTS]
    header = ("Among", "Metric", "Truth", *columns, "Prompts")
    empty = "No score can be compared with the truth: there are fewer than three assets of a prompt, or no scores."
    return Table("worth", caption, header, 3, tuple(rows), empty)


def truth_label(name: str) -> str:
    return LABELS[name] if name in LABELS else METRICS[name].label


def _cell(row: dict | None) -> Cell:
    if row is None:
        return Cell(NOTHING)
    interval = TOO_FEW if pd.isna(row["low"]) else f"[{row['low']:z.2f},{NO_BREAK}{row['high']:z.2f}]"
    return Cell(f"{row['value']:z.2f}", interval)
