"""What every kind of scene renders to, and where rays meet a scene's ball."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Rendering:
    """Of N rays: color over the background (N, 3), opacity (N,), and the mean depth (N,) of what is opaque, else 0.

    Opacity is the accumulated alpha, 1 - transmittance. Depth is in world units and has no gradient.
    """

    rgb: Tensor
    opacity: Tensor
    depth: Tensor


def intersect_ball(origins: Tensor, directions: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Distances (N,) at which rays (N, 3) enter and leave the ball around the origin; equal where they miss it."""
    middle = -(origins * directions).sum(dim=-1)
    half = (radius**2 - (origins * origins).sum(dim=-1) + middle**2).clamp(min=0).sqrt()
    return (middle - half).clamp(min=0), (middle + half).clamp(min=0)
