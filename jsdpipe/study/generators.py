"""What is trained in part A: densities that are mixtures themselves, so that q is as exact as the target."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from jsdpipe.study.mixtures import Mixture, equal
from jsdpipe.study.optimisation import START

BANDWIDTH = 0.25  # deviation of the kernels that stand for particles' density
COMPONENTS = 4  # of the parametric generator: fewer than any target has modes


class Generator(nn.Module):
    """An equal mixture of K Gaussians with trainable means (K, 2) and, unless they are kernels, log-deviations (K,).

    Particles are the case of many components whose deviation is fixed: the bandwidth of their kernel density.
    """

    def __init__(self, means: Tensor, deviation: float, kernels: bool) -> None:
        super().__init__()
        self.means = nn.Parameter(means)
        log_deviations = torch.full((len(means),), deviation, dtype=torch.float64).log()
        self.log_deviations = nn.Parameter(log_deviations, requires_grad=not kernels)

    def density(self) -> Mixture:
        """q, as a constant."""
        return equal(self.means.detach(), (2 * self.log_deviations.detach()).exp())

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """About `count` points m_k + s_k eps (N, 2), equally many a component; differentiable in m and s."""
        each = -(-count // len(self.means))
        noise = torch.randn(len(self.means), each, 2, dtype=torch.float64, generator=generator)
        return (self.means[:, None] + self.log_deviations.exp()[:, None, None] * noise).flatten(0, 1)


def _particles(count: int, generator: torch.Generator) -> Generator:
    return Generator(_start(count, generator), BANDWIDTH, kernels=True)


def _parametric(count: int, generator: torch.Generator) -> Generator:
    return Generator(_start(COMPONENTS, generator), START, kernels=False)


def _start(count: int, generator: torch.Generator) -> Tensor:
    return START * torch.randn(count, 2, dtype=torch.float64, generator=generator)


# by name, the generator for a number of particles
GENERATORS: Mapping[str, Callable[[int, torch.Generator], Generator]] = {
    "particles": _particles,
    "parametric": _parametric,
}
