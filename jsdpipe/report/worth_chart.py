"""The figure of what the metrics are worth."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jsdpipe.metrics import METRICS
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.summary import ALL_SETS
from jsdpipe.report.truth_tables import truth_label
from jsdpipe.report.worth import ASSETS, METHODS, RANKED, SPREAD

SHOWN = ("colored_f_score", "f_score", "silhouette", SPREAD)  # the truths in the figure


def draw(run: Run, frame: pd.DataFrame) -> Figure:
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
        *((style.PALETTE[n], style.PALETTE[n], truth_label(truth)) for n, truth in enumerate(SHOWN)),
        *(("#555555", "#555555" if among == RANKED else "white", among) for among in chosen["among"].unique()),
    ]
    handles = [
        Line2D([], [], marker="o", linestyle="", color=color, markerfacecolor=inside, label=text)
        for color, inside, text in marks
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), borderaxespad=0.2)
    return figure
