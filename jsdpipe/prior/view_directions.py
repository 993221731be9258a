"""What a view adds to the prompt: its direction, or a mixture of directions, and Perp-Neg's negatives."""

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
    index[_overhead(elevation, settings)] = OVERHEAD
    return index


def mixture(azimuth: Tensor, elevation: Tensor, settings: ViewPrompts) -> Tensor:
    """The shares (B, 4) of `DIRECTIONS` in the text of views at azimuth, elevation (B,) in radians.

    They pass linearly from front to side to back; from overhead it is that alone.
    """
    ahead, r = _between(azimuth)
    zero = torch.zeros_like(r)
    shares = torch.where(
        ahead[:, None],
        torch.stack((r, 1 - r, zero, zero), dim=1),
        torch.stack((zero, r, 1 - r, zero), dim=1),
    )
    shares[_overhead(elevation, settings)] = torch.eye(4, dtype=shares.dtype)[OVERHEAD]
    return shares


def perp_neg(azimuth: Tensor, elevation: Tensor, settings: ViewPrompts) -> tuple[Tensor, Tensor]:
    """Perp-Neg's two negatives for views at azimuth, elevation (B,) in radians (arXiv 2304.04968).

    Returns their directions and their weights, both (B, 2). Weights are at most 0, and 0 from overhead.
    """
    assert settings.perp_neg
    ahead, r = _between(azimuth)
    negatives = torch.where(ahead[:, None], torch.tensor([FRONT, SIDE]), torch.tensor([SIDE, FRONT]))
    weights = settings.perp_neg.factor * WEIGHTS[settings.perp_neg.weights](ahead, r)
    weights[_overhead(elevation, settings)] = 0
    return negatives, weights


def _threestudio(ahead: Tensor, r: Tensor) -> Tensor:
    return torch.where(
        ahead[:, None],
        torch.stack((-_decay(r, 4, -2.426), -_decay(1 - r, 4, -2.426)), dim=1),
        torch.stack((-_decay(r, 1, -0.606), -_decay(r, 1, 0.967)), dim=1),
    )


def _luciddreamer(ahead: Tensor, r: Tensor) -> Tensor:
    front = torch.where(r > 0.8, 0.0, -2 * torch.exp(-2 * r))
    side = torch.where(r < 0.2, 0.0, -2 * torch.exp(-10 * (1 - r)))
    side_of_back = torch.where(r > 0.8, 0.0, -torch.exp(-10 * r))
    return torch.where(
        ahead[:, None],
        torch.stack((front, side), dim=1),
        torch.stack((side_of_back, torch.full_like(r, -2.0)), dim=1),
    )


# by name, the weights (B, 2) of the negatives, given `_between`
WEIGHTS = {"threestudio": _threestudio, "luciddreamer": _luciddreamer}


def _between(azimuth: Tensor) -> tuple[Tensor, Tensor]:
    """Whether views are between front and side, not side and back (B,), and how near to the former, in [0, 1] (B,)."""
    turned = _degrees_from_front(azimuth)
    ahead = turned < 90
    return ahead, torch.where(ahead, 1 - turned / 90, 2 - turned / 90)


def _overhead(elevation: Tensor, settings: ViewPrompts) -> Tensor:
    return torch.rad2deg(elevation) > settings.overhead_deg


def _degrees_from_front(azimuth: Tensor) -> Tensor:
    """|azimuth| in degrees, in [0, 180]."""
    return torch.rad2deg(torch.atan2(azimuth.sin(), azimuth.cos())).abs()


def _decay(r: Tensor, a: float, c: float) -> Tensor:
    return a * torch.exp(-0.5 * r) + c
