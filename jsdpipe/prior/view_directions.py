"""What a view adds to the prompt: its direction, and Perp-Neg's mixture of directions."""

import torch
from torch import Tensor

from jsdpipe.prior.settings import ViewPrompts

DIRECTIONS = ("front", "side", "back", "overhead")
FRONT, SIDE, BACK, OVERHEAD = range(4)


def direction(azimuth: Tensor, elevation: Tensor, settings: ViewPrompts) -> Tensor:
    """Index into `DIRECTIONS` (B,) of views at azimuth, elevation (B,) in radians."""
    turned = _degrees_from_front(azimuth)
    index = torch.full_like(turned, SIDE, dtype=torch.long)
    index[turned < settings.front_deg] = FRONT
    index[turned > settings.back_deg] = BACK
    index[torch.rad2deg(elevation) > settings.overhead_deg] = OVERHEAD
    return index


def perp_neg(azimuth: Tensor, elevation: Tensor, settings: ViewPrompts) -> tuple[Tensor, Tensor, Tensor]:
    """Perp-Neg's mixture for views at azimuth, elevation (B,) in radians (arXiv 2304.04968, as threestudio weighs it).

    Returns the shares (B, 4) of `DIRECTIONS` in the positive embedding, the directions (B, 2) of the two negatives, and
    the negatives' weights (B, 2), 0 from overhead.
    """
    turned = _degrees_from_front(azimuth)
    ahead = turned < 90
    r = torch.where(ahead, 1 - turned / 90, 2 - turned / 90)
    zero = torch.zeros_like(r)
    # front to side, side to back; the columns are DIRECTIONS
    shares = torch.where(
        ahead[:, None],
        torch.stack((r, 1 - r, zero, zero), dim=1),
        torch.stack((zero, r, 1 - r, zero), dim=1),
    )
    negatives = torch.where(ahead[:, None], torch.tensor([FRONT, SIDE]), torch.tensor([SIDE, FRONT]))
    weights = torch.where(
        ahead[:, None],
        torch.stack((-_decay(r, 4, -2.426), -_decay(1 - r, 4, -2.426)), dim=1),
        torch.stack((-_decay(r, 1, -0.606), -_decay(r, 1, 0.967)), dim=1),
    )
    overhead = torch.rad2deg(elevation) > settings.overhead_deg
    shares[overhead] = torch.eye(4)[OVERHEAD]
    weights[overhead] = 0
    return shares, negatives, weights


def _degrees_from_front(azimuth: Tensor) -> Tensor:
    """|azimuth| in degrees, in [0, 180]."""
    return torch.rad2deg(torch.atan2(azimuth.sin(), azimuth.cos())).abs()


def _decay(r: Tensor, a: float, c: float) -> Tensor:
    return a * torch.exp(-0.5 * r) + c
