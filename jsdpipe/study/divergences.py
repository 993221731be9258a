"""Three divergences of a generator's density q from a target p: their values, and their gradients on samples.

If a sample x of q moves by dx, a divergence F[q] changes by the mean of dx . grad (dF/dq)(x), where dF/dq is the
functional derivative (constants in it do not matter). With scores s = grad log of a density:

- reverse KL, F = int q log(q / p): dF/dq = log(q / p), gradient s_q - s_p;
- forward KL, F = int p log(p / q): dF/dq = -p / q, gradient -(p / q)(s_p - s_q) = (p / q)(s_q - s_p);
- Jensen-Shannon, F = 1/2 int p log(p / m) + 1/2 int q log(q / m), m = (p + q) / 2: the terms through m add up to the
  constant -1/2, so dF/dq = 1/2 log(q / m) = 1/2 log(1 - D) up to constants, where D = p / (p + q) is the optimal
  discriminator (Goodfellow et al., arXiv 1406.2661). As grad log(p + q) = D s_p + (1 - D) s_q, the gradient is
  1/2 (s_q - D s_p - (1 - D) s_q) = 1/2 D (s_q - s_p).

So all three gradients are along s_q - s_p, with weights 1, p / q and D / 2. At any point, Jensen-Shannon's gradient is
at most half the reverse KL's; p / q has no bound.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from jsdpipe.study.mixtures import CLEAN, Mixture
from jsdpipe.study.targets import REACH

GRID = 64  # quadrature points per side; they are 0.19 apart, less than any target's smallest deviation

# by divergence, the weight (N,) of s_q - s_p, given the log-odds log p - log q (N,)
WEIGHTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "reverse_kl": torch.ones_like,
    "forward_kl": torch.exp,
    "jsd": lambda odds: torch.sigmoid(odds) / 2,
}
LABELS = {"reverse_kl": "reverse KL", "forward_kl": "forward KL", "jsd": "Jensen-Shannon"}


def gradient(divergence: str, x: Tensor, p: Mixture, q: Mixture, a: Tensor = CLEAN) -> Tensor:
    """The gradient (N, 2) at points (N, 2) of a divergence between p and q, both noised to cumulative alpha a."""
    log_p, score_p = p.log_density_and_score(x, a)
    log_q, score_q = q.log_density_and_score(x, a)
    return WEIGHTS[divergence](log_p - log_q)[:, None] * (score_q - score_p)


def grid() -> tuple[Tensor, float]:
    """The quadrature points (GRID^2, 2), and the area per point."""
    axis = torch.linspace(-REACH, REACH, GRID, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis), float(axis[1] - axis[0]) ** 2


def measure(log_p: Tensor, log_q: Tensor, area: float) -> dict[str, float]:
    """Integrate the divergences, in nats, from log-densities (N,) at the points of `grid`."""
    p, q = log_p.exp(), log_q.exp()
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    integrands = {
        "reverse_kl": q * (log_q - log_p),
        "forward_kl": p * (log_p - log_q),
        "jsd": (p * (log_p - log_m) + q * (log_q - log_m)) / 2,
    }
    return {name: area * float(value.sum()) for name, value in integrands.items()}
