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

NAME = "worth"
FIDELITY = ("colored_f_score", "f_score", "silhouette", "parts")  # the truth for scores of single assets, and for IQ
SPREAD = "spread"  # the truth for scores of how much the seeds of a prompt differ
COEFFICIENTS: dict[str, Callable[[NDArray, NDArray], NDArray]] = {"tau_b": tau_b, "spearman": spearman}
FEWEST = 3  # assets of a prompt, or methods, that can be in an order
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
        for (metric, truth), (name, coefficient) in product(_pairs(run), COEFFICIENTS.items()):
            sign = 1 if metric.direction == "higher" else -1
            seed = (config.seed, part, among, metric.name, truth, name)
            within = assets if metric.per == "asset" else means
            orders = {
                ASSETS: _within(within, metric.name, truth, sign, coefficient, bounds, seed),
                METHODS: _between(means, metric.name, truth, sign, coefficient, bounds, seed),
            }
            rows += [
                (part, among, metric.name, truth, ordered, name, of.mean, of.low, of.high, of.n)
                for ordered, of in orders.items()
                if of is not None
            ]
    numbers = dict.fromkeys(("value", "low", "high"), "float64")
    return pd.DataFrame(rows, columns=COLUMNS).astype({**numbers, "prompts": "int64"})


def _pairs(run: Run) -> Iterator[tuple[Metric, str]]:
    """Each score of the run with each of the truths that it may be compared with."""
    for metric in metrics.of_run(run.config):
        if metric.group != TRUTH:
            of_difference = not metric.group.of_prompt and metric.name != "iq"  # IQ says how clear a view is
            yield from ((metric, truth) for truth in ((SPREAD,) if of_difference else FIDELITY))


def _chosen(frame: pd.DataFrame, methods: Sequence[str], part: str) -> pd.DataFrame:
    chosen = frame[frame.index.get_level_values("method").isin(methods)]
    return chosen if part == ALL_SETS else chosen[chosen.index.get_level_values("set") == part]


def _within(
    frame: pd.DataFrame,
    score: str,
    truth: str,
    sign: int,
    coefficient: Callable[[NDArray, NDArray], NDArray],
    bounds: tuple[float, int],
    seed: tuple[str | int, ...],
) -> Estimate | None:
    """The mean over prompts of the correlation of a prompt's rows; None if no prompt has one."""
    pairs = frame[[score, truth]].dropna()
    found = []
    for _, of_prompt in pairs.groupby(["set", "prompt_id"], sort=False):
        x, y = of_prompt.to_numpy().T
        if len(x) >= FEWEST:
            found.append(float(coefficient(sign * x, y)))
    known = np.array([value for value in found if not np.isnan(value)])
    return mean_interval(known, *bounds, ASSETS, *seed) if len(known) else None


def _between(
    frame: pd.DataFrame,
    score: str,
    truth: str,
    sign: int,
    coefficient: Callable[[NDArray, NDArray], NDArray],
    bounds: tuple[float, int],
    seed: tuple[str | int, ...],
) -> Estimate | None:
    """The correlation of the methods' means over the prompts that all of them have; None if there is none."""
    wide = frame[[score, truth]].unstack("method").dropna()
    x, y = wide[score].to_numpy(), wide[truth].to_numpy()
    if not len(x) or x.shape[1] < FEWEST:
        return None
    found = correlation_of_means(coefficient, sign * x, y, *bounds, METHODS, *seed)
    return None if np.isnan(found.mean) else found
