"""Camera poses and rays, in one convention for the whole package.

World: right-handed, z up; azimuth 0 is +x (the object's front) and grows toward +y; elevation is from the xy-plane.
Camera: it looks along -z of its own frame; camera-to-world matrices have the columns right, up, back, position.
"""

import torch
from torch import Tensor


def orbit(azimuth: Tensor, elevation: Tensor, distance: Tensor) -> Tensor:
    """Positions (..., 3) on spheres around the origin; angles (...) in radians, distances in world units."""
    flat = distance * torch.cos(elevation)
    return torch.stack((flat * torch.cos(azimuth), flat * torch.sin(azimuth), distance * torch.sin(elevation)), dim=-1)


def look_at_origin(position: Tensor) -> Tensor:
    """Camera-to-world matrices (N, 4, 4) of cameras at `position` (N, 3) that look at the origin, upright."""
    nothing = torch.zeros_like(position)
    return look_at(position, nothing, nothing)


def look_at(position: Tensor, center: Tensor, tilt: Tensor) -> Tensor:
    """Camera-to-world matrices (N, 4, 4) of cameras at `position` (N, 3) that look at `center` (N, 3).

    Up is `tilt` (N, 3) added to z, or to y if the viewing direction is nearly parallel to z, |cos| >= 0.99 (T3Bench's
    rule).
    """
    back = torch.nn.functional.normalize(position - center, dim=-1)
    z = torch.tensor([0.0, 0.0, 1.0], dtype=position.dtype, device=position.device)
    y = torch.tensor([0.0, 1.0, 0.0], dtype=position.dtype, device=position.device)
    up = torch.where(back[:, 2:].abs() >= 0.99, y, z) + tilt
    right = torch.nn.functional.normalize(torch.linalg.cross(up, back), dim=-1)
    up = torch.linalg.cross(back, right)
    matrix = torch.zeros(len(position), 4, 4, dtype=position.dtype, device=position.device)
    matrix[:, :3, 0], matrix[:, :3, 1], matrix[:, :3, 2], matrix[:, :3, 3] = right, up, back, position
    matrix[:, 3, 3] = 1
    return matrix


def rays(camera_to_world: Tensor, fovy: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Origins and unit directions (N, size, size, 3) through the centers of square images' pixels.

    `camera_to_world` (N, 4, 4); `fovy` (N,), vertical field of view in radians; row 0 is the top of the image.
    """
    steps = (torch.arange(size, dtype=camera_to_world.dtype, device=camera_to_world.device) + 0.5) / size * 2 - 1
    half = torch.tan(fovy / 2)[:, None, None]
    x = half * steps[None, None, :].expand(1, size, size)
    y = -half * steps[None, :, None].expand(1, size, size)
    local = torch.stack((x, y, -torch.ones_like(x)), dim=-1)
    directions = torch.einsum("nij,nhwj->nhwi", camera_to_world[:, :3, :3], local)
    directions = torch.nn.functional.normalize(directions, dim=-1)
    return camera_to_world[:, None, None, :3, 3].expand_as(directions), directions
