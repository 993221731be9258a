"""Real spherical harmonics."""

import math

import torch
from torch import Tensor

COUNT = 9


def spherical_harmonics(directions: Tensor) -> Tensor:
    """The nine real orthonormal harmonics of degree 0, 1 and 2 (..., 9) at unit directions (..., 3).

    Order and signs: 1; y, z, x; xy, yz, 3 z^2 - 1, xz, x^2 - y^2, each times a positive number.
    """
    x, y, z = directions.unbind(dim=-1)
    one, two = math.sqrt(3 / (4 * math.pi)), math.sqrt(15 / (4 * math.pi))
    return torch.stack(
        (
            torch.full_like(x, math.sqrt(1 / (4 * math.pi))),
            one * y,
            one * z,
            one * x,
            two * x * y,
            two * y * z,
            math.sqrt(5 / (16 * math.pi)) * (3 * z * z - 1),
            two * x * z,
            two / 2 * (x * x - y * y),
        ),
        dim=-1,
    )
