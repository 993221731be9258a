"""Intervals and tests over prompts: prompts are the sample, and seeds are repeats within a prompt.

There is one value per prompt, the mean over its seeds, so that more seeds do not count as more prompts. With fewer than
`FEWEST` prompts there is no interval and no p-value. For normally distributed values, the percentile bootstrap's 95 %
interval covers the mean in only 51 % of cases with 2 prompts, 75 % with 3 and 83 % with 5 (87 % with 6, 93 % with 20);
and the sign-flip test's smallest p-value is above 0.05.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from jsdpipe.base.seeding import seed_of

FEWEST = 6  # prompts from which there are an interval and a p-value
PERMUTATIONS = 10_000
SPLITS = 1000  # of the prompts into halves
POWER = 0.8
MOST_PROMPTS = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` prompts; `low` and `high` bound its interval, and are None for fewer than `FEWEST` prompts."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Comparison:
    """A mean paired difference and its p-value (null: no difference), None for fewer than `FEWEST` prompts."""

    difference: Estimate
    p_value: float | None


def mean_interval(values: NDArray[np.float64], confidence: float, resamples: int, *key: str | int) -> Estimate:
    """Mean of `values` (prompts,) with its percentile bootstrap interval (Efron 1979) over prompts.

    `key` seeds the resampling. Raises ValueError if there are no values, or one is not finite.
    """
    if len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"{'/'.join(map(str, key))}: needs one finite value per prompt, got {values}")
    mean = float(values.mean())
    if len(values) < FEWEST:
        return Estimate(mean, None, None, len(values))
    interval = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed_of("bootstrap", *key)),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high), len(values))


def correlation_of_means(
    coefficient: Callable[[NDArray, NDArray], NDArray],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    confidence: float,
    resamples: int,
    *key: str | int,
) -> Estimate:
    """A rank correlation of columns' means, of `x` and `y` (prompts, columns), with its interval over prompts.

    `key` seeds the resampling. The mean is NaN if `y` has the same mean in all columns; such resamples are left out.
    """
    value = float(coefficient(x.mean(axis=0), y.mean(axis=0)))
    if len(x) < FEWEST or np.isnan(value):
        return Estimate(value, None, None, len(x))
    drawn = np.random.default_rng(seed_of("bootstrap", *key)).integers(len(x), size=(resamples, len(x)))
    found = coefficient(x[drawn].mean(axis=1), y[drawn].mean(axis=1))
    low, high = np.nanquantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(low), float(high), len(x))


def tau_b(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kendall's tau-b along the last axis.

    It is 0 if all of `x` is equal, for then `x` tells nothing of `y`, and NaN if all of `y` is.
    """
    a, b = (np.sign(v[..., :, None] - v[..., None, :]).reshape(*v.shape[:-1], -1) for v in (x, y))
    return _cosine(a, b)


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's rank correlation along the last axis; 0 and NaN as for `tau_b`."""
    a, b = (stats.rankdata(v, axis=-1) - (v.shape[-1] + 1) / 2 for v in (x, y))
    return _cosine(a, b)


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosine of vectors (..., D); 0 if `a` is 0, NaN if `b` is."""
    of_a, of_b = (np.linalg.norm(v, axis=-1) for v in (a, b))
    product = (a * b).sum(axis=-1)
    found = np.divide(product, of_a * of_b, out=np.zeros_like(of_a), where=(of_a > 0) & (of_b > 0))
    return np.where(of_b > 0, found, np.nan)


def paired_comparison(
    a: NDArray[np.float64], b: NDArray[np.float64], confidence: float, resamples: int, *key: str | int
) -> Comparison:
    """Compare two methods' values (prompts,) on the same prompts: mean of `a - b`, its interval, a p-value.

    The p-value is from a two-sided sign-flip test (Fisher 1935), whose null hypothesis is that both signs of a prompt's
    difference are equally likely. It is exact if 2^prompts <= 10 000, else Monte Carlo; its least value is
    2 / 2^prompts.
    """
    difference = mean_interval(a - b, confidence, resamples, *key)
    return Comparison(difference, None if len(a) < FEWEST else _sign_flip_test(a - b))


def _sign_flip_test(differences: NDArray[np.float64]) -> float:
    """The p-value: the fraction of sign patterns whose sum is at least as far from 0 as the observed one.

    If patterns are drawn, the observed one is added to them (Phipson and Smyth 2010), so that p is never 0. SciPy's
    `permutation_test` does the same, but takes a hundred times as long: minutes for ten methods on T3Bench.
    """
    signs = _signs(len(differences))
    rounding = 1e-12 * abs(differences).sum()
    as_far = int((abs(signs @ differences) >= abs(differences.sum()) - rounding).sum())
    drawn = len(signs) < 2 ** len(differences)
    return (as_far + drawn) / (len(signs) + drawn)


@lru_cache(maxsize=8)  # most comparisons of a run have one of a few numbers of prompts
def _signs(prompts: int) -> NDArray[np.float64]:
    """All sign patterns (patterns, prompts) of -1 and 1, or `PERMUTATIONS` random ones if there are more."""
    if 2**prompts <= PERMUTATIONS:
        return np.array(list(product((-1.0, 1.0), repeat=prompts)))
    rng = np.random.default_rng(seed_of("sign-flip", prompts))
    return rng.choice((-1.0, 1.0), (PERMUTATIONS, prompts))


def agreement_of_halves(values: NDArray[np.float64], sets: NDArray[np.generic], *key: str | int) -> NDArray[np.float64]:
    """Kendall's tau-b between the means of methods in two disjoint halves of the prompts, for each of `SPLITS` splits.

    Each set is split into halves; of an odd number of prompts, one is left out. Splits in which all methods have one
    mean are left out too.

    Args:
        values: (prompts, methods).
        sets: of the prompts (prompts,).
        key: seeds the splits.
    """
    rng = np.random.default_rng(seed_of("halves", *key))
    means: list[list[NDArray[np.float64]]] = [[], []]
    rows_of = [np.flatnonzero(sets == name) for name in np.unique(sets)]
    for _ in range(SPLITS):
        shuffled = [(rng.permutation(rows), len(rows) // 2) for rows in rows_of]
        for half, kept in enumerate(means):
            chosen = np.concatenate([rows[half * size : (half + 1) * size] for rows, size in shuffled])
            kept.append(values[chosen].mean(axis=0))
    one, two = (_order(np.stack(of)) for of in means)
    pairs = np.sqrt((one != 0).sum(axis=1) * (two != 0).sum(axis=1))
    ordered = pairs > 0
    tau: NDArray[np.float64] = (one * two).sum(axis=1)[ordered] / pairs[ordered]
    return tau


def _order(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sign of each pair's difference (S, pairs), of means (S, methods)."""
    i, j = np.triu_indices(means.shape[1], k=1)
    difference = means[:, i] - means[:, j]
    # means of equal values differ by rounding
    return np.where(abs(difference) > 1e-9 * abs(means).max(), np.sign(difference), 0)


def prompts_needed(differences: NDArray[np.float64], level: float) -> float:
    """The least number of prompts at which a two-sided paired t-test finds the mean of `differences` with `POWER`.

    The prompts are taken to vary as these (prompts,) do. Infinite if it is more than a million; 2 if they do not vary.
    """
    mean, deviation = abs(differences.mean()), differences.std(ddof=1)
    if deviation <= 1e-12 * mean:
        return 2.0 if mean else math.inf

    def power(n: int) -> float:
        critical, center = stats.t.ppf(1 - level / 2, n - 1), math.sqrt(n) * mean / deviation
        return float(stats.nct.sf(critical, n - 1, center) + stats.nct.cdf(-critical, n - 1, center))

    if power(MOST_PROMPTS) < POWER:
        return math.inf
    return float(bisect_left(range(MOST_PROMPTS), POWER, lo=2, key=power))
