"""The densities that the study distills from, all Gaussian mixtures, and which of their modes points cover."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.study.mixtures import Mixture, equal

REACH = 6.0  # largest |x| and |y| of figures and quadrature; targets have hardly any mass beyond
NEAR = 3.0  # deviations; 98.9 % of a Gaussian in the plane is nearer to its mean
_RADIUS = 3.0


@dataclass(frozen=True)
class Target:
    """A mixture whose component k belongs to mode number `mode[k]`, from 0."""

    name: str
    label: str
    mixture: Mixture
    mode: Tensor

    @property
    def modes(self) -> int:
        return int(self.mode.max()) + 1


def _on_a_circle(count: int) -> Tensor:
    angles = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)
    return _RADIUS * torch.stack([angles.cos(), angles.sin()], 1)


def _numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _circle() -> Target:
    """Eight equal Gaussians of deviation 0.3 on a circle of radius 3, more than seven deviations apart."""
    return Target("circle", "eight modes", equal(_on_a_circle(8), _numbers(*[0.3**2] * 8)), torch.arange(8))


def _uneven() -> Target:
    """Five Gaussians of different weights and deviations, the smallest a fifth of the largest."""
    weights, deviations = _numbers(0.4, 0.25, 0.15, 0.12, 0.08), _numbers(0.5, 0.35, 0.25, 0.45, 0.3)
    means = torch.stack([_numbers(-2.5, 2.2, 2.8, 0.2, -2.6), _numbers(1.2, 2.4, -1.4, -3.2, -2.4)], 1)
    return Target("uneven", "five uneven modes", Mixture(weights, means, deviations.square()), torch.arange(5))


def _ring() -> Target:
    """A ring of radius 3 and deviation 0.2: 64 Gaussians, 1.5 deviations apart; sixteen arcs are its modes."""
    return Target("ring", "ring of 16 arcs", equal(_on_a_circle(64), _numbers(*[0.2**2] * 64)), torch.arange(64) // 4)


TARGETS = {target.name: target for target in (_circle(), _uneven(), _ring())}

_LATTICE = _numbers(-3.0, 0.0, 3.0)
# for the empty prompt: nine Gaussians of deviation 1.5, which cover the plane to about 5 without a gap
UNCONDITIONAL = equal(torch.cartesian_prod(_LATTICE, _LATTICE), _numbers(*[1.5**2] * 9))
# for the negative prompt: the middle, where no target has mass
NEGATIVE = equal(torch.zeros(1, 2, dtype=torch.float64), _numbers(1.0))


@dataclass(frozen=True)
class Coverage:
    """How many of the target's modes are covered, and the share of points that are on any mode."""

    covered: int
    modes: int
    on_modes: float


def coverage(points: Tensor, target: Target) -> Coverage:
    """Count the modes that points (N, 2) cover.

    A point belongs to the component that is nearest in deviations, if it is within `NEAR` of them. A mode is covered if
    it has at least half of its fair share of points, its weight times N.
    """
    mixture = target.mixture
    deviations = torch.cdist(points, mixture.means) / mixture.variances.sqrt()
    distance, nearest = deviations.min(1)
    near = distance <= NEAR
    found = torch.bincount(target.mode[nearest[near]], minlength=target.modes)
    weights = torch.zeros(target.modes, dtype=torch.float64).index_add_(0, target.mode, mixture.weights)
    covered = int((found >= weights * len(points) / 2).sum())
    return Coverage(covered, target.modes, float(near.double().mean()))
