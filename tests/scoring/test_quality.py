"""T3Bench's formula against matrices and hand-worked numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jsdpipe.render.rigs import icosphere
from jsdpipe.scoring.quality import quality

VERTICES, NEIGHBOURS = icosphere(2)
REWARDS = arrays(np.float64, (162, 5), elements=st.floats(-3, 3))


def averaging() -> np.ndarray:
    """One round as a matrix, from the sphere's geometry: a vertex' neighbors are nearer than 1.5 times its nearest."""
    distance = np.linalg.norm(VERTICES[:, None] - VERTICES[None], axis=-1)
    nearest = (distance + 9 * np.eye(162)).min(axis=1, keepdims=True)
    near = (distance < 1.5 * nearest).astype(float)
    assert set(near.sum(axis=1)) == {6.0, 7.0}
    return near / near.sum(axis=1, keepdims=True)


@settings(max_examples=30)
@given(REWARDS)
def test_is_the_third_power_of_averaging(rewards):
    expected = np.linalg.matrix_power(averaging(), 3) @ rewards.max(axis=1)
    result = quality(rewards, NEIGHBOURS)
    np.testing.assert_allclose(result.smoothed, expected, atol=1e-12)
    assert result.score == pytest.approx(20 * expected.max() + 50)
    assert result.smoothed[result.vertex] == result.smoothed.max()


@settings(max_examples=30)
@given(REWARDS, st.floats(-2, 2))
def test_bounds_shift_and_monotony(rewards, shift):
    score = quality(rewards, NEIGHBOURS).score
    best = rewards.max(axis=1)
    assert 20 * best.min() + 50 - 1e-9 <= score <= 20 * best.max() + 50 + 1e-9
    assert quality(rewards + shift, NEIGHBOURS).score == pytest.approx(score + 20 * shift)
    assert quality(rewards + np.abs(rewards), NEIGHBOURS).score >= score - 1e-9


def test_equal_rewards_give_twenty_times_the_reward_plus_fifty():
    # about what black images get from ImageReward; and nothing is clipped
    assert quality(np.full((162, 5), -2.25), NEIGHBOURS).score == pytest.approx(5)
    assert quality(np.full((162, 5), 4.0), NEIGHBOURS).score == pytest.approx(130)


def test_spike_on_the_icosahedron_by_hand():
    """All neighborhoods count 6. One vertex at 1: after a round it and its 5 neighbors have 1/6; after two it has
    6/36, they 4/36 (themselves, two neighbors of theirs, it); after three it has (6 + 5 * 4)/216."""
    _, neighbors = icosphere(0)
    rewards = np.zeros((12, 2))
    rewards[3, 1] = 1
    result = quality(rewards, neighbors)
    assert result.vertex == 3
    assert result.score == pytest.approx(50 + 20 * 26 / 216)
