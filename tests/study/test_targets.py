"""Counting modes by hand, and the targets' own samples."""

import pytest
import torch

from jsdpipe.study.mixtures import Mixture
from jsdpipe.study.targets import TARGETS, Coverage, Target, coverage

# modes of weight 0.75 (two components) and 0.25
TARGET = Target(
    "t", "t",
    Mixture(
        torch.tensor([0.5, 0.25, 0.25]).double(),
        torch.tensor([[0.0, 0.0], [2.0, 0.0], [9.0, 0.0]]).double(),
        torch.tensor([0.01, 0.01, 1.0]).double(),
    ),
    torch.tensor([0, 0, 1]),
)  # fmt: skip


def points(*xs):
    return torch.tensor([[x, 0.0] for x in xs]).double()


def test_by_hand():
    # eight points: the first mode's half share is 3, the second's 1
    assert coverage(points(0, 0.29, 2.0, 5.9, 12.1, 4, 4, 4), TARGET) == Coverage(1, 2, 3 / 8)
    assert coverage(points(0, 0.29, 2.0, 6.1, 12.1, 4, 4, 4), TARGET) == Coverage(2, 2, 4 / 8)
    assert coverage(points(0, 0.31, 2.0, 6.1, 11.9, 9, 9, 9), TARGET) == Coverage(1, 2, 7 / 8)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_a_targets_own_sample_covers_it(target):
    found = coverage(target.mixture.sample(2000, torch.Generator().manual_seed(0)), target)
    assert found.covered == found.modes == target.modes
    assert found.on_modes > 0.97
    assert float(target.mixture.weights.sum()) == pytest.approx(1)


def test_the_modes_of_the_targets():
    assert {name: target.modes for name, target in TARGETS.items()} == {"circle": 8, "uneven": 5, "ring": 16}
