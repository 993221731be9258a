"""Cameras around a scene: random ones for training, a turntable for the preview."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.base.cameras import look_at_origin, orbit, rays
from jsdpipe.scene.settings import Cameras

PREVIEW_ELEVATION_DEG = 15.0


@dataclass(frozen=True)
class Viewpoints:
    """V cameras that look at the origin: angles (V,) in radians, `fovy` vertical, and distance (V,) in world units."""

    azimuth: Tensor
    elevation: Tensor
    distance: Tensor
    fovy: Tensor

    @property
    def position(self) -> Tensor:
        """Positions of the cameras (V, 3) in world units."""
        return orbit(self.azimuth, self.elevation, self.distance)

    def rays(self, size: int) -> tuple[Tensor, Tensor]:
        """Origins and unit directions (V * size * size, 3) of all pixels, view by view, row by row."""
        origins, directions = rays(look_at_origin(self.position), self.fovy, size)
        return origins.reshape(-1, 3), directions.reshape(-1, 3)


def random_viewpoints(settings: Cameras, views: int, generator: torch.Generator) -> Viewpoints:
    """Random training cameras; elevations are half uniform in angle, half uniform on the sphere, as in threestudio."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(views, generator=generator)

    low, high = (math.radians(x) for x in settings.elevation_deg)
    in_angle = uniform(low, high)
    on_sphere = uniform(math.sin(low), math.sin(high)).asin()
    return Viewpoints(
        azimuth=uniform(-math.pi, math.pi),
        elevation=torch.where(uniform(0, 1) < 0.5, in_angle, on_sphere),
        distance=uniform(*settings.distance),
        fovy=torch.deg2rad(uniform(*settings.fovy_deg)),
    )


def turntable(settings: Cameras, views: int) -> Viewpoints:
    """Cameras at equal steps of azimuth from the front on, at the mean training distance and field of view."""
    return Viewpoints(
        azimuth=torch.arange(views) * (2 * math.pi / views),
        elevation=torch.full((views,), math.radians(PREVIEW_ELEVATION_DEG)),
        distance=torch.full((views,), sum(settings.distance) / 2),
        fovy=torch.full((views,), math.radians(sum(settings.fovy_deg) / 2)),
    )
