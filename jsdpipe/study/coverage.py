"""Which modes of a target a cloud of points has."""

from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.study.targets import Target

NEAR = 3.0  # deviations; 98.9 % of a Gaussian in the plane is nearer to its mean


@dataclass(frozen=True)
class Coverage:
    """How many of the target's modes are covered, and the share of points that are on any mode."""

    covered: int
    modes: int
    on_modes: float


def coverage(points: Tensor, target: Target) -> Coverage:
    """Count the covered modes of points (N, 2).

    A point is on the mode of the component that is nearest in deviations, if it is within 3 of them. A mode is covered
    if it has at least half of its fair share, which is its weight times N.
    """
    mixture = target.mixture
    deviations = torch.cdist(points, mixture.means) / mixture.variances.sqrt()
    distance, nearest = deviations.min(1)
    near = distance <= NEAR
    found = torch.bincount(target.mode[nearest[near]], minlength=target.modes)
    weights = torch.zeros(target.modes, dtype=torch.float64).index_add_(0, target.mode, mixture.weights)
    covered = int((found >= weights * len(points) / 2).sum())
    return Coverage(covered, target.modes, float(near.double().mean()))
