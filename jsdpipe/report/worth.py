"""What the metrics are worth: how far they put assets, and methods, into the same order as the truth does."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jsdpipe import metrics
from jsdpipe.metrics import Metric
from jsdpipe.metrics.built_in import TRUTH
from jsdpipe.pipeline.run import Run
from jsdpipe.report.collect import Results
from jsdpipe.report.statistics import Estimate, correlation_of_means, mean_interval, spearman, tau_b
from jsdpipe.report.summary import ALL_SETS

FIDELITY = ("colored_f_score", "f_score", "silhouette", "parts")  # the truth for scores of single assets, and for IQ
SPREAD = "spread"  # the truth for scores of how much the seeds of a prompt differ
COEFFICIENTS: dict[str, Callable[[NDArray, NDArray], NDArray]] = {"tau_b": tau_b, "spearman": spearman}
ASSETS, METHODS = "assets", "methods"  # what is put into an order
RANKED, ALL = "ranked methods", "all methods"
COLUMNS = ["set", "among", "score", "truth", "ordered", "coefficient", "value", "low", "high", "prompts"]


def worth(run: Run, results: Results, values: pd.DataFrame, spreads: pd.Series) -> pd.DataFrame:
    """The rank correlation of each of the run's scores with the truth, with columns COLUMNS.

    It is positive where a better score goes with the truth. "assets" are the correlations within a prompt, over the
    assets of all methods (for a score of a prompt's seeds together, over the methods), averaged over prompts; "methods"
    are those of the methods' means over the prompts that all of them have. `values` is from `per_prompt`, and `spreads`
    is indexed like it.
    """
    config, rows = run.config, []
    of_prompts, of_assets = values.join(spreads), results.assets.set_index(["method", "set", "prompt_id"])
    parts = [*config.sets, ALL_SETS] if len(config.sets) > 1 else list(config.sets)
    groups = {RANKED: config.contestants, ALL: list(config.methods) if config.controls else []}
    bounds = config.report.confidence, config.report.bootstrap
    for (among, methods), part in product(groups.items(), parts):
        if not methods:
            continue
        assets, means = (_chosen(frame, methods, part) for frame in (of_assets, of_prompts))
        for (metric, truth), (name, coefficient) in product(_compared(run), COEFFICIENTS.items()):
            seed = (config.seed, part, among, metric.name, truth, name)
            within = assets if metric.per == "asset" else means
            orders = {
                ASSETS: _within(_pairs(within, metric, truth), coefficient, bounds, seed),
                METHODS: _between(_pairs(means, metric, truth), coefficient, bounds, seed),
            }
            rows += [
                (part, among, metric.name, truth, ordered, name, of.mean, of.low, of.high, of.n)
                for ordered, of in orders.items()
                if of is not None
            ]
    numbers = dict.fromkeys(("value", "low", "high"), "float64")
    return pd.DataFrame(rows, columns=COLUMNS).astype({**numbers, "prompts": "int64"})


def _compared(run: Run) -> Iterator[tuple[Metric, str]]:
    """Each score of the run with each of the truths that it may be compared with."""
    for metric in metrics.of_run(run.config):
        if metric.group != TRUTH:
            of_difference = not metric.group.of_prompt and metric.name != "iq"  # IQ says how clear a view is
            yield from ((metric, truth) for truth in ((SPREAD,) if of_difference else FIDELITY))


def _chosen(frame: pd.DataFrame, methods: Sequence[str], part: str) -> pd.DataFrame:
    chosen = frame[frame.index.get_level_values("method").isin(methods)]
    return chosen if part == ALL_SETS else chosen[chosen.index.get_level_values("set") == part]


def _pairs(frame: pd.DataFrame, metric: Metric, truth: str) -> pd.DataFrame:
    """The columns `score`, turned so that higher is better, and `truth`."""
    sign = 1 if metric.direction == "higher" else -1
    return pd.DataFrame({"score": sign * frame[metric.name], "truth": frame[truth]})


def _within(
    pairs: pd.DataFrame,
    coefficient: Callable[[NDArray, NDArray], NDArray],
    bounds: tuple[float, int],
    seed: tuple[str | int, ...],
) -> Estimate | None:
    """The mean over prompts of the correlation of a prompt's rows; None if no prompt has one."""
    of_prompts = pairs.dropna().groupby(["set", "prompt_id"], sort=False)
    found = [float(coefficient(*rows.to_numpy().T)) for _, rows in of_prompts if len(rows) >= metrics.FEWEST_RANKED]
    known = np.array([value for value in found if not np.isnan(value)])
    return mean_interval(known, *bounds, ASSETS, *seed) if len(known) else None


def _between(
    pairs: pd.DataFrame,
    coefficient: Callable[[NDArray, NDArray], NDArray],
    bounds: tuple[float, int],
    seed: tuple[str | int, ...],
) -> Estimate | None:
    """The correlation of the methods' means over the prompts that all of them have; None if there is none."""
    wide = pairs.unstack("method").dropna()
    scores, truths = wide["score"].to_numpy(), wide["truth"].to_numpy()
    if not len(wide) or scores.shape[1] < metrics.FEWEST_RANKED:
        return None
    found = correlation_of_means(coefficient, scores, truths, *bounds, METHODS, *seed)
    return None if np.isnan(found.mean) else found
