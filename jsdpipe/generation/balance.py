"""How much the regularizers' gradient counts beside the objective's."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from jsdpipe.base.device import is_accelerator
from jsdpipe.base.schedules import Schedule, value_at
from jsdpipe.scene.scene import SceneBatch

MEASURE_EVERY = 4  # steps; each measurement costs one more backward pass
DECAY = 0.9  # of the running mean squares, per measurement


class Balance(nn.Module):
    """The factors (A,) of the regularizers' gradients of A assets, for a share of the gradient that they are to have.

    An asset's factor is share * |objective| / |regularizers|, of the norms of both gradients on the parameters that
    the regularizers reach: of their running root mean squares or of this measurement's, whichever gives less, so that
    a term that has just begun does not exceed the share. Without a share it is 1. `measured` (A,) is the share at the
    last measurement, NaN before the first one.
    """

    factor: Tensor
    mean_squares: Tensor
    measured: Tensor

    def __init__(self, share: Schedule | None, assets: int) -> None:
        super().__init__()
        self.share = share
        # until the first measurement the size of the terms is unknown, and they are left out
        self.register_buffer("factor", torch.full((assets,), 1.0 if share is None else 0.0))
        # of the objective and the regularizers; starting both at 0 biases them alike, which cancels in their ratio
        self.register_buffer("mean_squares", torch.zeros(2, assets, dtype=torch.double))
        self.register_buffer("measured", torch.full((assets,), torch.nan))

    @torch.no_grad()
    def measure(self, batch: SceneBatch, regularizers: Sequence[Tensor | None], fine: Tensor, step: int) -> None:
        """Measure both gradients, set the factors for the (nominal) step, and correct the batch's gradients to them.

        The batch's gradients are the objective's plus `factor` times those of the regularizers, which are given for
        each parameter, None where they do not reach it. Only assets that are `fine` (A,) and finite are measured.
        """
        both = [None if r is None else p.grad for p, r in zip(batch.parameters(), regularizers, strict=True)]
        pairs = list(zip(batch.by_scene(both), batch.by_scene(regularizers), strict=True))
        old = self.factor
        norms = torch.stack(
            [
                torch.stack((_norm(torch._foreach_sub(pair[0], torch._foreach_mul(pair[1], f))), _norm(pair[1])))
                for f, pair in zip(old.unbind(), pairs, strict=True)
            ],
            dim=1,
        )
        fine = fine & norms.isfinite().all(dim=0)
        squares = torch.lerp(norms.double().square(), self.mean_squares, DECAY)
        self.mean_squares = torch.where(fine, squares, self.mean_squares)
        if self.share is not None:
            running = (self.mean_squares[0] / self.mean_squares[1]).sqrt()
            ratio = running.fmin(norms[0] / norms[1])
            there = fine & (self.mean_squares[1] > 0)
            self.factor = torch.where(there, value_at(self.share, step) * ratio, self.factor).float()
        self.measured = torch.where(fine, self.factor * norms[1] / norms[0], self.measured)
        for change, pair in zip((self.factor - old).unbind(), pairs, strict=True):
            for gradient, own in zip(*pair, strict=True):
                if is_accelerator(change.device):
                    gradient.addcmul_(own, change)
                else:  # rounded once
                    gradient.add_(own, alpha=change.item())


def regularizer_gradients(terms: Tensor, batch: SceneBatch) -> list[Tensor | None]:
    """The gradient of the weighted terms (A,) alone for each parameter, None where they do not reach it."""
    return list(
        torch.autograd.grad(
            terms, list(batch.parameters()), torch.ones_like(terms), retain_graph=True, allow_unused=True
        )
    )


def _norm(gradients: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """The norm () of several tensors as one vector."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
