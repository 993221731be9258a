"""Gaussian mixtures in the plane, with density, score and noise prediction in closed form at every noise level.

A mixture sum_k w_k N(m_k, v_k I) noised to x_a = sqrt(a) x + sqrt(1 - a) eps, with cumulative alpha a, is the mixture
sum_k w_k N(sqrt(a) m_k, (a v_k + 1 - a) I) (Song et al., arXiv 2011.13456).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

CLEAN = torch.ones((), dtype=torch.float64)  # the cumulative alpha without noise


@dataclass(frozen=True)
class Mixture:
    """Weights (K,) that sum to 1, means (K, 2) and variances (K,), in double precision.

    Points x are (N, 2); cumulative alphas a are () for all points, or (N,) for each.
    """

    weights: Tensor
    means: Tensor
    variances: Tensor

    def log_density(self, x: Tensor, a: Tensor = CLEAN) -> Tensor:
        """The log-density (N,) at level a: log sum_k w_k N(x; sqrt(a) m_k, a v_k + 1 - a)."""
        return self._log_terms(x, a)[0].logsumexp(1)

    def score(self, x: Tensor, a: Tensor = CLEAN) -> Tensor:
        """The log-density's gradient (N, 2): sum_k r_k (sqrt(a) m_k - x) / (a v_k + 1 - a), r the terms' softmax."""
        return self._score(x, a, *self._log_terms(x, a))

    def log_density_and_score(self, x: Tensor, a: Tensor = CLEAN) -> tuple[Tensor, Tensor]:
        """Both at once, (N,) and (N, 2)."""
        terms, variances = self._log_terms(x, a)
        return terms.logsumexp(1), self._score(x, a, terms, variances)

    def noise(self, x: Tensor, a: Tensor) -> Tensor:
        """What an exact denoiser predicts, E[eps | x_a = x] = -sqrt(1 - a) score (N, 2) (Tweedie's formula)."""
        return -(1 - a).sqrt()[..., None] * self.score(x, a)

    def smoothed(self, deviation: float) -> "Mixture":
        """The density of x + deviation * eps for standard normal eps."""
        return Mixture(self.weights, self.means, self.variances + deviation**2)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw independent points (count, 2)."""
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, 2, dtype=torch.float64, generator=generator)
        return self.means[chosen] + self.variances[chosen, None].sqrt() * noise

    def _score(self, x: Tensor, a: Tensor, terms: Tensor, variances: Tensor) -> Tensor:
        pulls = terms.softmax(1) / variances
        return a.sqrt()[..., None] * (pulls @ self.means) - pulls.sum(1, keepdim=True) * x

    def _log_terms(self, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """The log of each component's term of the density (N, K), and the components' variances (K,) or (N, K)."""
        a = a[..., None]
        variances = a * (self.variances - 1) + 1
        # |x - sqrt(a) m|^2 expanded, to avoid an array (N, K, 2)
        squares = x.square().sum(1, keepdim=True) - 2 * a.sqrt() * (x @ self.means.T) + a * self._lengths
        return self._log_weights - variances.log() - squares / (2 * variances), variances

    @cached_property
    def _log_weights(self) -> Tensor:
        return (self.weights / (2 * math.pi)).log()

    @cached_property
    def _lengths(self) -> Tensor:
        return self.means.square().sum(1)


def kernels(points: Tensor, bandwidth: float) -> Mixture:
    """The Gaussian kernel density of points (N, 2): equal weights, deviation `bandwidth`."""
    return equal(points, torch.full((len(points),), bandwidth**2, dtype=torch.float64))


def equal(means: Tensor, variances: Tensor) -> Mixture:
    """A mixture of equal weights."""
    return Mixture(torch.full((len(means),), 1 / len(means), dtype=torch.float64), means, variances)
