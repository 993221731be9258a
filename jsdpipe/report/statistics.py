"""Uncertainty that respects the design: prompts are the sample, seeds are repeats within a prompt.

Values that enter here are one a prompt (the mean over its seeds), so that more seeds never feign more prompts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from jsdpipe.seeding import seed_of

PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` prompts; `low` and `high` bound its interval, None where one prompt allows none."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Comparison:
    """A mean paired difference and the p-value of "no difference", None where one prompt allows none."""

    difference: Estimate
    p_value: float | None


def mean_interval(values: NDArray[np.float64], confidence: float, resamples: int, *key: str | int) -> Estimate:
    """Mean of `values` (prompts,) with its percentile bootstrap interval (Efron 1979) over prompts.

    The resamples are drawn from the generator named by `key`. Raises ValueError without values or on NaN.
    """
    if len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"{'/'.join(map(str, key))}: needs one finite value a prompt, got {values}")
    mean = float(values.mean())
    if len(values) == 1:
        return Estimate(mean, None, None, 1)
    interval = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed_of("bootstrap", *key)),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high), len(values))


def paired_comparison(
    a: NDArray[np.float64], b: NDArray[np.float64], confidence: float, resamples: int, *key: str | int
) -> Comparison:
    """Compare two methods' values (prompts,) on the same prompts: mean of `a - b`, its interval, a p-value.

    The p-value is that of the two-sided sign-flip test (Fisher 1935): each prompt's difference may as well have had the
    other sign. It is exact where 2^prompts <= 10 000, else Monte-Carlo; its least value is 2 / 2^prompts.
    """
    difference = mean_interval(a - b, confidence, resamples, *key)
    if len(a) == 1:
        return Comparison(difference, None)
    test = stats.permutation_test(
        (a - b,),
        np.mean,
        permutation_type="samples",
        n_resamples=PERMUTATIONS,
        rng=np.random.default_rng(seed_of("sign-flip", *key)),
    )
    return Comparison(difference, float(test.pvalue))
