"""What every kind of scene renders to, and where rays meet its ball or cube."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rendering:
    """Of N rays: color over the background (N, 3), opacity (N,), and the mean depth (N,) of what is opaque, else 0.

    The colors of a scene with `latent_channels` are latents (N, C). Opacity is the accumulated alpha, one minus the
    transmittance. Depth is in world units and has no gradient.
    """

    rgb: Tensor
    opacity: Tensor
    depth: Tensor


def intersect_ball(origins: Tensor, directions: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Distances (N,) at which rays (N, 3) enter and leave the ball around the origin; equal where they miss it."""
    middle = -(origins * directions).sum(dim=-1)
    half = (radius**2 - (origins * origins).sum(dim=-1) + middle**2).clamp(min=0).sqrt()
    return (middle - half).clamp(min=0), (middle + half).clamp(min=0)


def intersect_cube(origins: Tensor, directions: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """Distances (N,) at which rays (N, 3) enter and leave the cube [-bound, bound]^3; equal where they miss it."""
    inverse = 1 / torch.where(directions == 0, 1e-20, directions)  # along a face nothing is 0 / 0
    low, high = (-bound - origins) * inverse, (bound - origins) * inverse
    near = torch.minimum(low, high).amax(dim=-1).clamp(min=0)
    return near, torch.maximum(torch.maximum(low, high).amin(dim=-1), near)
