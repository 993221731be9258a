"""Mixtures against SciPy, their derivatives against differences."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from jsdpipe.study.mixtures import Mixture, kernels

MIXTURE = Mixture(
    torch.tensor([0.5, 0.3, 0.2]).double(),
    torch.tensor([[0.0, 1.0], [-2.0, 0.5], [1.5, -1.0]]).double(),
    torch.tensor([0.09, 0.5, 1.2]).double(),
)
POINTS = 2 * torch.randn(20, 2, generator=torch.Generator().manual_seed(0)).double()
LEVELS = torch.linspace(0.02, 1.0, 20).double()
STEP = 1e-5


def reference(points, a):
    parts = [
        weight * multivariate_normal(np.sqrt(a) * mean, (a * variance + 1 - a) * np.eye(2)).pdf(points)
        for weight, mean, variance in zip(
            MIXTURE.weights.numpy(), MIXTURE.means.numpy(), MIXTURE.variances.numpy(), strict=True
        )
    ]
    return sum(parts)


def slopes(function, points):
    """Central differences (N, 2) of a function (N,) of points (N, 2)."""
    shifts = STEP * torch.eye(2).double()
    return torch.stack([(function(points + s) - function(points - s)) / (2 * STEP) for s in shifts], 1)


@pytest.mark.parametrize("a", [1.0, 0.6, 0.01])
def test_the_noised_density_is_that_of_scipy(a):
    found = MIXTURE.log_density(POINTS, torch.tensor(a).double())
    assert np.allclose(found.exp().numpy(), reference(POINTS.numpy(), np.float64(torch.tensor(a).double())), rtol=1e-9)


def test_a_level_a_point_gives_what_the_points_give_one_by_one():
    log_density, score = MIXTURE.log_density_and_score(POINTS, LEVELS)
    for i, a in enumerate(LEVELS):
        one = POINTS[i : i + 1]
        assert torch.allclose(log_density[i], MIXTURE.log_density(one, a)[0])
        assert torch.allclose(score[i], MIXTURE.score(one, a)[0])


def test_the_score_is_the_densitys_slope():
    found = MIXTURE.score(POINTS, LEVELS)
    assert torch.allclose(found, slopes(lambda x: MIXTURE.log_density(x, LEVELS), POINTS), atol=1e-6)


def test_the_noise_is_the_mean_of_the_noise_given_the_point():
    """E[eps | x_a] by quadrature over eps: x = (x_a - sqrt(1 - a) eps) / sqrt(a) has the clean density."""
    axis = torch.linspace(-7, 7, 281).double()
    eps = torch.cartesian_prod(axis, axis)
    for point, a in zip(POINTS[:5], torch.tensor([0.9, 0.7, 0.5, 0.3, 0.6]).double(), strict=True):
        clean = (point - (1 - a).sqrt() * eps) / a.sqrt()
        weight = (MIXTURE.log_density(clean) - eps.square().sum(1) / 2).exp()
        mean = (weight[:, None] * eps).sum(0) / weight.sum()
        assert torch.allclose(MIXTURE.noise(point[None], a)[0], mean, atol=1e-6)


def test_smoothing_adds_the_variance():
    found = MIXTURE.smoothed(0.5)
    assert torch.equal(found.variances, MIXTURE.variances + 0.25)
    assert torch.equal(found.means, MIXTURE.means)


def test_samples_have_the_mixtures_moments():
    sample = MIXTURE.sample(40_000, torch.Generator().manual_seed(1))
    mean = MIXTURE.weights @ MIXTURE.means
    spread = MIXTURE.weights @ (MIXTURE.means.square() + MIXTURE.variances[:, None]) - mean.square()
    assert torch.allclose(sample.mean(0), mean, atol=0.03)
    assert torch.allclose(sample.var(0), spread, atol=0.06)


def test_the_kernel_density_by_hand():
    density = kernels(torch.tensor([[0.0, 0.0], [2.0, 0.0]]).double(), 0.5)
    at = density.log_density(torch.zeros(1, 2).double()).exp().item()
    assert at == pytest.approx((1 + np.exp(-(2**2) / (2 * 0.25))) / 2 / (2 * np.pi * 0.25))
