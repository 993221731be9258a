"""The generators of part A, whose density q is a mixture and so as exact as the target; and how both parts train."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from jsdpipe.study.mixtures import Mixture, equal

LEARNING_RATE = 0.07
START = 0.5  # standard deviation, around the middle, at the start of every run
BANDWIDTH = 0.25  # standard deviation of the particles' kernels
COMPONENTS = 4  # of the parametric generator; fewer than any target's modes


class Generator(nn.Module):
    """An equal mixture of K Gaussians with trainable means (K, 2) and, unless they are kernels, log-deviations (K,).

    Particles are many components with a fixed deviation, the bandwidth of their kernel density.
    """

    def __init__(self, means: Tensor, deviation: float, kernels: bool) -> None:
        super().__init__()
        self.means = nn.Parameter(means)
        log_deviations = torch.full((len(means),), deviation, dtype=torch.float64).log()
        self.log_deviations = nn.Parameter(log_deviations, requires_grad=not kernels)

    def density(self) -> Mixture:
        """The density q, detached."""
        return equal(self.means.detach(), (2 * self.log_deviations.detach()).exp())

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw points m_k + s_k eps (N, 2), equally many per component, at least `count`; differentiable in m and s."""
        each = -(-count // len(self.means))
        noise = torch.randn(len(self.means), each, 2, dtype=torch.float64, generator=generator)
        return (self.means[:, None] + self.log_deviations.exp()[:, None, None] * noise).flatten(0, 1)


def _particles(count: int, generator: torch.Generator) -> Generator:
    return Generator(_start(count, generator), BANDWIDTH, kernels=True)


def _parametric(count: int, generator: torch.Generator) -> Generator:
    return Generator(_start(COMPONENTS, generator), START, kernels=False)


def _start(count: int, generator: torch.Generator) -> Tensor:
    return START * torch.randn(count, 2, dtype=torch.float64, generator=generator)


# constructors by name, for a number of particles
GENERATORS: Mapping[str, Callable[[int, torch.Generator], Generator]] = {
    "particles": _particles,
    "parametric": _parametric,
}


def adam(parameters: Iterable[Tensor]) -> torch.optim.Adam:
    """The pipeline's optimizer, at a constant rate; its steps do not depend on the gradients' scale."""
    return torch.optim.Adam(parameters, lr=LEARNING_RATE, betas=(0.9, 0.99), eps=1e-15)
