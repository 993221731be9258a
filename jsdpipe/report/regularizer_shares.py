"""A figure of the regularizers' share in the gradient over a run: per method, the median over its assets."""

import math

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

from jsdpipe.base.files import read_json
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.presentation import label

NAME = "regularizer-share"


def median_shares(run: Run) -> dict[str, pd.Series]:
    """By method, the median share over its assets, by the part of the run that was done; only for methods with shares.

    A share is the norm of the regularizers' gradient over that of the objective's. Left out are assets whose generation
    failed, and zeros, which a logarithmic axis does not have.
    """
    rows = [
        (shard.method, row["step"] / asset["steps"], row["regularizer_share"])
        for shard in run.shards()
        if shard.method in run.recipes
        for key in shard.asset_keys()
        for asset in [read_json(run.layout.asset(key) / "asset.json")]
        if asset["status"] != "failed"  # which may have stopped early
        for row in asset["history"]
        if row.get("regularizer_share", 0) > 0
    ]
    shares = pd.DataFrame(rows, columns=["method", "done", "share"])
    return {method: of.groupby("done")["share"].median() for method, of in shares.groupby("method", sort=False)}


def draw(run: Run, shares: dict[str, pd.Series]) -> Figure:
    """The figure of `median_shares`: a line per method, on a logarithmic axis."""
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for method, of_method in shares.items():
        axes.plot(of_method.index, of_method, color=style.color(run, method), linewidth=1.8, label=label(run, method))
    axes.set_yscale("log")
    # whole powers of ten, because only these are labeled
    lowest, highest = (pick(map(pick, shares.values())) for pick in (min, max))
    axes.set_ylim(10 ** math.floor(math.log10(lowest)), 10 ** (math.floor(math.log10(highest)) + 1))
    axes.yaxis.set_major_formatter("{x:g}")  # the default formatter needs mathtext, which labels may not have
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title("Regularizers' gradient over the objective's")
    axes.set_xlabel("part of the run")
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    return figure
