"""Intervals and p-values against enumerations of every resample and every sign flip."""

from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsdpipe.report.statistics import mean_interval, paired_comparison


def test_six_prompts_by_hand():
    # A resample's mean is how often it holds the 6: 0 in 33.5 % of them, up to 1 in 73.7 %, 2 in 93.8 %, 3 in 99.1 %.
    values = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 6.0])
    wide = mean_interval(values, 0.95, 2000, 7)
    assert (wide.mean, wide.low, wide.high, wide.n) == (1, 0, 3, 6)
    narrow = mean_interval(values, 0.40, 2000, 7)
    assert (narrow.low, narrow.high) == (0, 1)


def test_interval_is_near_that_of_all_resamples():
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 5.0])
    means = np.array(list(product(values, repeat=6))).mean(axis=1)
    estimate = mean_interval(values, 0.9, 20_000, "x")
    assert [estimate.low, estimate.high] == pytest.approx(np.quantile(means, [0.05, 0.95]), abs=0.21)


@pytest.mark.parametrize("n", [1, 5])
def test_fewer_prompts_have_neither_interval_nor_p(n):
    values = np.arange(float(n))
    estimate = mean_interval(values, 0.95, 2000, "x")
    assert (estimate.mean, estimate.low, estimate.high, estimate.n) == ((n - 1) / 2, None, None, n)
    comparison = paired_comparison(values, -values, 0.95, 2000, "x")
    assert (comparison.difference.mean, comparison.difference.low, comparison.p_value) == (n - 1, None, None)


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_refuses_what_has_no_mean(values):
    with pytest.raises(ValueError, match="quality/jsd"):
        mean_interval(np.array(values), 0.95, 2000, "quality", "jsd")


def test_key_decides_the_draws():
    values = np.random.default_rng(0).normal(size=40)
    assert mean_interval(values, 0.95, 500, "a", 1) == mean_interval(values, 0.95, 500, "a", 1)
    assert mean_interval(values, 0.95, 500, "a", 1) != mean_interval(values, 0.95, 500, "a", 2)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=6, max_size=9))
def test_p_value_is_the_share_of_sign_flips(pairs):
    a, b = np.array(pairs, dtype=float).T
    flips = [abs(np.dot(signs, a - b)) for signs in product((-1, 1), repeat=len(a))]
    share = np.mean([flip >= abs(np.sum(a - b)) for flip in flips])
    comparison = paired_comparison(a, b, 0.95, 100, "x")
    assert comparison.p_value == pytest.approx(share)
    assert comparison.difference.mean == pytest.approx(a.mean() - b.mean())


def test_a_comparison_of_six_prompts_by_hand():
    # Differences 1 to 6: of the 64 sign patterns only the two of one sign reach |21|, and four |19| and more.
    values = np.arange(1.0, 7.0)
    assert paired_comparison(2 * values, values, 0.95, 2000, "x").p_value == pytest.approx(2 / 64)
    values[0] = -1
    assert paired_comparison(2 * values, values, 0.95, 2000, "x").p_value == pytest.approx(4 / 64)


def test_a_sum_that_is_0_but_for_rounding_is_no_difference():
    # 0.1 + 0.2 - 0.3 is 5.6e-17, and its other orders and signs are exactly 0 or not less
    a, b = np.zeros((2, 6))
    a[:2], b[2] = (0.1, 0.2), 0.3
    assert paired_comparison(a, b, 0.95, 2000, "x").p_value == 1


def test_a_drawn_p_value_is_near_the_exact_one_and_never_0():
    a, b = np.random.default_rng(5).normal(size=(2, 14))
    comparison = paired_comparison(a + 0.4, b, 0.95, 100, "x")
    signs = np.array(list(product((-1, 1), repeat=14)))
    exact = np.mean(abs(signs @ (a + 0.4 - b)) >= abs(np.sum(a + 0.4 - b)) - 1e-9)
    assert comparison.p_value == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 10_000) ** 0.5)
    same = np.ones(100)
    assert paired_comparison(same, 0 * same, 0.95, 100, "x").p_value == pytest.approx(1 / 10_001)


def test_many_prompts_without_a_difference():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 200))
    comparison = paired_comparison(a, b, 0.95, 2000, "x")
    error = (a - b).std() / 200**0.5
    normal = 2 * NormalDist().cdf(-abs((a - b).mean()) / error)
    assert comparison.p_value == pytest.approx(normal, abs=0.03)
    width = comparison.difference.high - comparison.difference.low
    assert width == pytest.approx(2 * 1.96 * error, rel=0.1)
