"""Means with intervals for every method and set, and paired comparisons of the methods."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pandas as pd

from jsdpipe import metrics
from jsdpipe.pipeline.run import Run
from jsdpipe.report.collect import Results
from jsdpipe.report.statistics import mean_interval, paired_comparison

ALL_SETS = "all sets"  # not the name of a set, which has no space
SUMMARY = ["set", "method", "metric", "mean", "low", "high", "prompts"]
COMPARISON = ["set", "metric", "a", "b", "difference", "low", "high", "p_value", "prompts"]
NUMBERS = ("mean", "difference", "low", "high", "p_value")


def per_prompt(run: Run, results: Results) -> pd.DataFrame:
    """The values of the run's metrics, averaged over seeds, indexed by (method, set, prompt_id)."""
    key = ["method", "set", "prompt_id"]
    names: dict[str, list[str]] = {"asset": [], "prompt": []}
    for metric in metrics.of_run(run.config):
        names[metric.per].append(metric.name)
    assets = results.assets.groupby(key, sort=False)[names["asset"]].mean()
    return assets.join(results.prompts.set_index(key)[names["prompt"]])


def summarise(run: Run, values: pd.DataFrame) -> pd.DataFrame:
    """The mean of each metric over the prompts that have it, with columns SUMMARY; `values` is from `per_prompt`."""
    report = run.config.report
    rows: list[tuple[Any, ...]] = []
    for part, name, frame in _parts(run, values):
        for method in run.config.methods:
            column = frame.xs(method, level="method")[name].dropna().to_numpy()
            if len(column):
                key = (run.config.seed, part, method, name)
                estimate = mean_interval(column, report.confidence, report.bootstrap, *key)
                rows.append((part, method, name, estimate.mean, estimate.low, estimate.high, estimate.n))
    return _frame(rows, SUMMARY)


def compare(run: Run, values: pd.DataFrame) -> pd.DataFrame:
    """Method a minus method b for each metric over the prompts that have it for both, with columns COMPARISON."""
    report = run.config.report
    rows: list[tuple[Any, ...]] = []
    for part, name, frame in _parts(run, values):
        wide = frame[name].unstack("method")
        for a, b in combinations(run.config.methods, 2):
            pairs = wide[[a, b]].dropna()
            if len(pairs):
                key = (run.config.seed, part, a, b, name)
                x, y = pairs[a].to_numpy(), pairs[b].to_numpy()
                test = paired_comparison(x, y, report.confidence, report.bootstrap, *key)
                difference = test.difference
                interval = (difference.mean, difference.low, difference.high)
                rows.append((part, name, a, b, *interval, test.p_value, difference.n))
    return _frame(rows, COMPARISON)


def _parts(run: Run, values: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(set, metric, rows) for each set and metric, and for all sets together if there are several."""
    names = list(run.config.sets)
    for part in [*names, ALL_SETS] if len(names) > 1 else names:
        frame = values if part == ALL_SETS else values.xs(part, level="set", drop_level=False)
        for metric in metrics.of_run(run.config):
            yield part, metric.name, frame


def _frame(rows: list[tuple[Any, ...]], columns: list[str]) -> pd.DataFrame:
    numbers: dict[str, str] = {name: "float64" for name in NUMBERS if name in columns}
    return pd.DataFrame(rows, columns=columns).astype({**numbers, "prompts": "int64"})
