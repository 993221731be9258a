"""Means with intervals for every method and set, and paired comparisons of the methods."""

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import pandas as pd

from jsdpipe import metrics
from jsdpipe.metrics import Metric
from jsdpipe.pipeline.run import Run
from jsdpipe.report.collect import Results
from jsdpipe.report.statistics import mean_interval, paired_comparison

ALL_SETS = "all sets"  # not the name of a set, which has no space
SUMMARY = ["set", "method", "kind", "metric", "mean", "low", "high", "prompts", "place"]
COMPARISON = ["set", "metric", "a", "b", "difference", "low", "high", "p_value", "prompts"]
NUMBERS = ("mean", "difference", "low", "high", "p_value", "place", "dose")


def per_prompt(run: Run, results: Results) -> pd.DataFrame:
    """The values of the run's metrics, averaged over seeds, indexed by (method, set, prompt_id)."""
    key = ["method", "set", "prompt_id"]
    names: dict[str, list[str]] = {"asset": [], "prompt": []}
    for metric in metrics.of_run(run.config):
        names[metric.per].append(metric.name)
    assets = results.assets.groupby(key, sort=False)[names["asset"]].mean()
    return assets.join(results.prompts.set_index(key)[names["prompt"]])


def summarise(run: Run, values: pd.DataFrame) -> pd.DataFrame:
    """The mean of each metric over the prompts that have it, with columns SUMMARY; `values` is from `per_prompt`.

    `place` is a contestant's between the means of the floor (0) and the ceiling (100). It is NaN if one of them is
    unknown, or if the ceiling is not better than the floor. Contestants come before controls.
    """
    config = run.config
    rows: list[tuple[Any, ...]] = []
    for part, metric, frame in parts(run, values):
        name, estimates = metric.name, {}
        for method in (*config.contestants, *config.controls):
            column = frame.xs(method, level="method")[name].dropna().to_numpy()
            if len(column):
                key = (config.seed, part, method, name)
                estimates[method] = mean_interval(column, config.report.confidence, config.report.bootstrap, *key)
        places = _places(run, metric, {method: estimate.mean for method, estimate in estimates.items()})
        for method, of in estimates.items():
            kind, place = config.methods[method].kind, places.get(method, math.nan)
            rows.append((part, method, kind, name, of.mean, of.low, of.high, of.n, place))
    return frame_of(rows, SUMMARY)


def _places(run: Run, metric: Metric, means: Mapping[str, float]) -> dict[str, float]:
    """The places of the contestants' means, if there is a scale."""
    floor, ceiling = (means.get(run.config.bound(which) or "", math.nan) for which in ("floor", "ceiling"))
    above = ceiling > floor if metric.direction == "higher" else ceiling < floor
    if not (metric.group.of_prompt and above):
        return {}
    return {
        method: 100 * (mean - floor) / (ceiling - floor)
        for method, mean in means.items()
        if run.config.methods[method].ranked
    }


def compare(run: Run, values: pd.DataFrame) -> pd.DataFrame:
    """Contestant a minus b for each metric over the prompts that have it for both, with columns COMPARISON."""
    report = run.config.report
    rows: list[tuple[Any, ...]] = []
    for part, metric, frame in parts(run, values):
        name = metric.name
        wide = frame[name].unstack("method")
        for a, b in combinations(run.config.contestants, 2):
            pairs = wide[[a, b]].dropna()
            if len(pairs):
                key = (run.config.seed, part, a, b, name)
                x, y = pairs[a].to_numpy(), pairs[b].to_numpy()
                test = paired_comparison(x, y, report.confidence, report.bootstrap, *key)
                difference = test.difference
                interval = (difference.mean, difference.low, difference.high)
                rows.append((part, name, a, b, *interval, test.p_value, difference.n))
    return frame_of(rows, COMPARISON)


def parts(run: Run, values: pd.DataFrame) -> Iterator[tuple[str, Metric, pd.DataFrame]]:
    """(set, metric, rows) for each set and metric, and for all sets together if there are several."""
    names = list(run.config.sets)
    for part in [*names, ALL_SETS] if len(names) > 1 else names:
        frame = values if part == ALL_SETS else values.xs(part, level="set", drop_level=False)
        for metric in metrics.of_run(run.config):
            yield part, metric, frame


def frame_of(rows: list[tuple[Any, ...]], columns: list[str]) -> pd.DataFrame:
    """A table of rows, with its numbers as such."""
    numbers: dict[str, str] = {name: "float64" for name in NUMBERS if name in columns}
    return pd.DataFrame(rows, columns=columns).astype({**numbers, "prompts": "int64"})
