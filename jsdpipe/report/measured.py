"""What is measured against the truth for readers: the tables `prdc` and `worth`, and the figure of the latter."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jsdpipe.metrics import METRICS
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.markup import Cell, Table
from jsdpipe.report.prdc import NAMES, NEIGHBORS
from jsdpipe.report.presentation import NO_BREAK, NOTHING, TOO_FEW, family, label
from jsdpipe.report.statistics import FEWEST
from jsdpipe.report.summary import ALL_SETS
from jsdpipe.report.worth import ALL, ASSETS, COEFFICIENTS, FIDELITY, METHODS, RANKED, SPREAD

NO_PROMPT = "all"
LABELS = {"tau_b": "τ-b", "spearman": "Spearman", SPREAD: "Spread"}
SHOWN = ("colored_f_score", "f_score", "silhouette", SPREAD)  # the truths in the figure


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
        rows.append((Cell(among), Cell(METRICS[score].label), Cell(_truth(truth)), *cells, Cell(prompts)))
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


def _truth(name: str) -> str:
    return LABELS[name] if name in LABELS else METRICS[name].label


def _cell(row: dict | None) -> Cell:
    if row is None:
        return Cell(NOTHING)
    interval = TOO_FEW if pd.isna(row["low"]) else f"[{row['low']:z.2f},{NO_BREAK}{row['high']:z.2f}]"
    return Cell(f"{row['value']:z.2f}", interval)


def draw_worth(run: Run, frame: pd.DataFrame) -> Figure:
    """The figure of `worth`: Kendall's tau-b of each metric with each truth, for assets and for methods."""
    part = ALL_SETS if len(run.config.sets) > 1 else next(iter(run.config.sets))
    chosen = frame[(frame["set"] == part) & (frame["coefficient"] == "tau_b") & frame["truth"].isin(SHOWN)]
    scores = list(dict.fromkeys(chosen["score"]))[::-1]
    figure = Figure(figsize=(10.5, 1.6 + 0.55 * max(len(scores), 1)), layout="constrained")
    for axes, ordered in zip(figure.subplots(1, 2, sharey=True), (ASSETS, METHODS), strict=True):
        axes.set_title("Assets of a prompt" if ordered == ASSETS else "Means of methods")
        axes.axvline(0, color="#888888", linewidth=0.8)
        for row in chosen[chosen["ordered"] == ordered].to_dict("records"):
            number = SHOWN.index(row["truth"])
            color, ranked = style.PALETTE[number], row["among"] == RANKED
            y = scores.index(row["score"]) + (0 if row["truth"] == SPREAD else 0.25 * (1 - number))
            y += 0.05 if ranked else -0.05
            axes.plot([row["low"], row["high"]], [y, y], color=color, linewidth=1.2, alpha=0.7)
            axes.plot(row["value"], y, "o", color=color, markersize=6, markerfacecolor=color if ranked else "white")
        axes.set_xlim(-1.05, 1.05)
        axes.set_ylim(-0.6, len(scores) - 0.4)
        axes.set_yticks(range(len(scores)), [METRICS[score].label for score in scores])
        axes.grid(axis="x")
        axes.set_xlabel("Kendall's τ-b with the truth")
    marks = [
        *((style.PALETTE[n], style.PALETTE[n], _truth(truth)) for n, truth in enumerate(SHOWN)),
        *(("#555555", "#555555" if among == RANKED else "white", among) for among in chosen["among"].unique()),
    ]
    handles = [
        Line2D([], [], marker="o", linestyle="", color=color, markerfacecolor=inside, label=text)
        for color, inside, text in marks
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), borderaxespad=0.2)
    return figure
