"""Cameras around a scene: random ones for training, a turntable for the preview."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from jsdpipe.base.cameras import look_at, look_at_origin, orbit, rays
from jsdpipe.base.device import to_device
from jsdpipe.scene.settings import Cameras

CPU = torch.device("cpu")
PREVIEW_ELEVATION_DEG = 15.0
FRONT_BACK = math.radians(30)  # largest angle to the front or back in `front_back_steps` (CSD's public code)


@dataclass(frozen=True)
class Offsets:
    """Offsets (V, 3) of cameras' positions, of the points they look at, and of their vectors up."""

    position: Tensor
    center: Tensor
    up: Tensor


@dataclass(frozen=True)
class Viewpoints:
    """V cameras around the origin, on the CPU: angles (V,) in radians, `fovy` vertical, distance (V,) in world units.

    Without offsets they look at the origin. With offsets, the angles and distances are nominal, which is what prompts
    and adapters learn; `position` and `rays` have the offsets.
    """

    azimuth: Tensor
    elevation: Tensor
    distance: Tensor
    fovy: Tensor
    offsets: Offsets | None = None

    @property
    def position(self) -> Tensor:
        """Positions of the cameras (V, 3) in world units."""
        nominal = orbit(self.azimuth, self.elevation, self.distance)
        return nominal if self.offsets is None else nominal + self.offsets.position

    def rays(self, size: int, device: torch.device = CPU) -> tuple[Tensor, Tensor]:
        """Origins and unit directions (V * size * size, 3) of all pixels on a device, view by view, row by row."""
        if self.offsets is None:
            poses = look_at_origin(self.position)
        else:
            poses = look_at(self.position, self.offsets.center, self.offsets.up)
        # by the host, which is ahead of an accelerator, so that all devices have the same rays
        origins, directions = (x.reshape(-1, 3) for x in rays(poses, self.fovy, size))
        return to_device(origins, device), to_device(directions, device)


def random_viewpoints(settings: Cameras, views: int, generator: torch.Generator, step: int) -> Viewpoints:
    """Random training cameras; elevations are half uniform in angle, half uniform on the sphere, as in threestudio."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(views, generator=generator)

    low, high = (math.radians(x) for x in settings.elevation_deg)
    in_angle = uniform(low, high)
    on_sphere = uniform(math.sin(low), math.sin(high)).asin()
    nominal = Viewpoints(
        azimuth=uniform(-math.pi, math.pi),
        elevation=torch.where(uniform(0, 1) < 0.5, in_angle, on_sphere),
        distance=uniform(*settings.distance),
        fovy=torch.deg2rad(uniform(*settings.fovy_deg)),
    )
    # drawn last and only where they are set, so that recipes without them keep their draws
    if step < settings.front_back_steps:
        aside = uniform(-FRONT_BACK, FRONT_BACK)
        behind = aside.remainder(2 * math.pi) - math.pi
        nominal = replace(nominal, azimuth=torch.where(uniform(0, 1) < 0.5, aside, behind))
    if settings.jitter is None:
        return nominal

    def normal(deviation: float) -> Tensor:
        return deviation * torch.randn(views, 3, generator=generator)

    jitter = settings.jitter
    position = jitter.position * (2 * torch.rand(views, 3, generator=generator) - 1)
    return replace(nominal, offsets=Offsets(position, normal(jitter.center), normal(jitter.up)))


def turntable(settings: Cameras, views: int) -> Viewpoints:
    """Cameras at equal steps of azimuth from the front on, at the mean training distance and field of view."""
    return Viewpoints(
        azimuth=torch.arange(views) * (2 * math.pi / views),
        elevation=torch.full((views,), math.radians(PREVIEW_ELEVATION_DEG)),
        distance=torch.full((views,), sum(settings.distance) / 2),
        fovy=torch.full((views,), math.radians(sum(settings.fovy_deg) / 2)),
    )
