"""Gradients of the divergences against autograd through their values by quadrature."""

import math

import pytest
import torch

from jsdpipe.study.divergences import WEIGHTS, gradient, grid, measure
from jsdpipe.study.generators import GENERATORS
from jsdpipe.study.mixtures import Mixture
from jsdpipe.study.targets import TARGETS

P = TARGETS["uneven"].mixture.smoothed(0.5)  # so that its score has no kinks between the points of the grid
DEVIATIONS = torch.tensor([0.6, 0.8]).double()
MEANS = torch.tensor([[-1.0, 0.5], [1.2, 0.4]]).double()
HALVES = torch.tensor([0.5, 0.5]).double()


def value(divergence, q):
    """A divergence as a differentiable number, by the same quadrature as `measure`."""
    points, area = grid()
    log_p, log_q = P.log_density(points), q.log_density(points)
    p, qs = log_p.exp(), log_q.exp()
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return (
        area
        * {
            "reverse_kl": (qs * (log_q - log_p)).sum(),
            "forward_kl": (p * (log_p - log_q)).sum(),
            "jsd": (p * (log_p - log_m) + qs * (log_q - log_m)).sum() / 2,
        }[divergence]
    )


@pytest.mark.parametrize("divergence", WEIGHTS)
def test_a_gradient_moves_means_and_deviations_as_autograd_through_the_divergence_does(divergence):
    means, logs = MEANS.clone().requires_grad_(), DEVIATIONS.log().requires_grad_()
    value(divergence, Mixture(HALVES, means, (2 * logs).exp())).backward()
    # the mean over q of the gradient, by quadrature: dF/dm_k = 1/2 E_k[g], dF/dlog s_k = 1/2 E_k[g . (x - m_k)]
    points, area = grid()
    q = Mixture(HALVES, MEANS, DEVIATIONS.square())
    field = gradient(divergence, points, P, q)
    for k in range(2):
        one = Mixture(torch.ones(1).double(), MEANS[k : k + 1], DEVIATIONS[k : k + 1].square())
        density = area * one.log_density(points).exp()[:, None]
        assert torch.allclose((density * field).sum(0) / 2, means.grad[k], rtol=1e-4, atol=1e-6)
        assert torch.allclose((density * field * (points - MEANS[k])).sum() / 2, logs.grad[k], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("a", [1.0, 0.4])
def test_jensen_shannon_is_reverse_kl_times_half_the_discriminator(a):
    level = torch.tensor(a).double()
    q = Mixture(HALVES, MEANS, DEVIATIONS.square())
    points = 2 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double()
    p_at, q_at = P.log_density(points, level).exp(), q.log_density(points, level).exp()
    reverse, forward, jsd = (gradient(name, points, P, q, level) for name in ("reverse_kl", "forward_kl", "jsd"))
    assert torch.allclose(jsd, reverse * (p_at / (p_at + q_at) / 2)[:, None])
    assert torch.allclose(forward, reverse * (p_at / q_at)[:, None])
    assert (jsd.norm(dim=1) <= reverse.norm(dim=1) / 2).all()


@pytest.mark.parametrize("divergence", WEIGHTS)
def test_measure_is_the_divergence(divergence):
    points, area = grid()
    q = Mixture(HALVES, MEANS, DEVIATIONS.square())
    found = measure(P.log_density(points), q.log_density(points), area)
    assert found[divergence] == pytest.approx(float(value(divergence, q)))
    same = measure(P.log_density(points), P.log_density(points), area)
    assert same[divergence] == pytest.approx(0, abs=1e-12)


def test_measure_of_two_gaussians_and_of_disjoint_ones():
    def gaussian(x, deviation):
        return Mixture(torch.ones(1).double(), torch.tensor([[x, 0.0]]).double(), torch.tensor([deviation**2]).double())

    points, area = grid()
    one, other = gaussian(0.0, 0.6).log_density(points), gaussian(0.5, 0.9).log_density(points)
    # KL of Gaussians in the plane: 2 log(s2 / s1) + (2 s1^2 + d^2) / (2 s2^2) - 1
    assert measure(one, other, area)["forward_kl"] == pytest.approx(
        2 * math.log(0.9 / 0.6) + (2 * 0.36 + 0.25) / (2 * 0.81) - 1, rel=1e-6
    )
    far = measure(gaussian(-3.0, 0.3).log_density(points), gaussian(3.0, 0.3).log_density(points), area)
    assert far["jsd"] == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_the_grid_holds_the_targets_mass(target):
    points, area = grid()
    assert float(target.mixture.log_density(points).exp().sum()) * area == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_generators_samples_are_of_its_density(kind):
    q = GENERATORS[kind](64, torch.Generator().manual_seed(0))
    sample = q.sample(20_000, torch.Generator().manual_seed(1)).detach()
    density = q.density()
    assert torch.allclose(sample.mean(0), density.means.mean(0), atol=0.02)
    spread = density.means.var(0, correction=0) + density.variances.mean()
    assert torch.allclose(sample.var(0), spread, rtol=0.05)
    assert q.log_deviations.requires_grad == (kind == "parametric")
