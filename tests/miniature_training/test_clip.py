"""The loss that makes a reward of the CLIP, by hand."""

import math

import pytest
import torch

from jsdpipe.miniature_training.clip import LEVELS_WEIGHT, PREFERENCE_WEIGHT, reward_loss


def softplus(x):
    return math.log1p(math.exp(x))


def test_preference_matching_and_levels():
    """Two pictures of one form have the logits 2 and 4, one of another 6: levels 3 and 6, whose variance is 2.25."""
    found = reward_loss(
        asked=torch.tensor([2.0, 4.0, 6.0]),
        worse=torch.tensor([1.0, 5.0]),
        negatives=torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]]),
        forms=torch.tensor([0, 0, 2]),
        bias=torch.tensor(-3.0),
    )
    preference = (softplus(-1) + softplus(1)) / 2
    match = (softplus(1) + softplus(-1) + softplus(-3)) / 3
    mismatch = (2 * softplus(-3) + 3 * softplus(-2) + softplus(-1)) / 6
    assert float(found) == pytest.approx(
        PREFERENCE_WEIGHT * preference + match + mismatch + LEVELS_WEIGHT * 2.25, rel=1e-6
    )
