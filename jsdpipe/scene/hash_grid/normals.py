"""Normals of a density field: against its gradient, towards what is empty.

The density grows with the number `raw` that it is the softplus of, so their gradients have one direction; that of raw
does not vanish where the density underflows.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize


def analytic_normals(raw: Tensor, points: Tensor) -> Tensor:
    """Unit normals (N, 3), by automatic differentiation of raw (N,) by the points (N, 3) it was computed from.

    Differentiable; 0 where the gradient is 0.
    """
    (gradient,) = torch.autograd.grad(raw.sum(), points, create_graph=True)
    return -normalize(gradient, dim=-1)


def finite_difference_normals(raw_at: Callable[[Tensor], Tensor], points: Tensor, epsilon: float) -> Tensor:
    """Unit normals (N, 3) at points (N, 3), by central differences over +-epsilon along each axis."""
    offsets = epsilon * torch.eye(3, dtype=points.dtype, device=points.device)
    around = torch.cat((points[:, None] + offsets, points[:, None] - offsets), dim=1)  # (N, 6, 3)
    ahead, behind = raw_at(around.reshape(-1, 3)).view(-1, 2, 3).unbind(dim=1)
    return -normalize(ahead - behind, dim=-1)
