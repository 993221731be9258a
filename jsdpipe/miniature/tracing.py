"""Render the miniature world by sphere tracing.

An image is kept in layers (albedo, light, coverage), so that one rendering serves for many lights and backgrounds.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.base.cameras import look_at_origin, orbit, rays
from jsdpipe.miniature.solids import Scene, albedo, distance, select

SIZE = 64
FOVY = math.radians(45)
DISTANCE = 2.6
STEPS = 40
REACH = 1.35  # radius of a ball that contains every scene


@dataclass(frozen=True)
class Layers:
    """Albedo (B, H, W, 3), light max(n . l, 0) (B, H, W) and coverage (B, H, W), all float32 in [0, 1]."""

    albedo: Tensor
    light: Tensor
    coverage: Tensor


def trace(scenes: Scene, azimuth: Tensor, elevation: Tensor, sun: Tensor, size: int = SIZE) -> Layers:
    """Render B scenes, each from its own view.

    Silhouettes are antialiased: a ray that misses covers its pixel in part if it comes close to the surface.

    Args:
        azimuth: (B,) in radians.
        elevation: (B,) in radians.
        sun: unit vectors (B, 3) towards the light.
    """
    count = len(azimuth)
    position = orbit(azimuth, elevation, torch.full((count,), DISTANCE))
    origins, directions = rays(look_at_origin(position), torch.full((count,), FOVY), size)
    origins, directions = origins.reshape(-1, 3), directions.reshape(-1, 3)
    scene = torch.arange(count).repeat_interleave(size * size)

    along = -(origins * directions).sum(dim=-1)
    gap = (origins + along[:, None] * directions).norm(dim=-1)
    live = torch.nonzero(gap < REACH)[:, 0]
    half_chord = (REACH**2 - gap[live] ** 2).clamp_min(0).sqrt()
    t, far = along[live] - half_chord, along[live] + half_chord
    pixel = math.tan(FOVY / 2) / size  # half a pixel at distance 1

    best = torch.full((len(live),), torch.inf)  # nearest approach, in half pixels
    best_t = t.clone()
    active = torch.arange(len(live))
    chosen = select(scenes, scene[live])
    o, d = origins[live], directions[live]
    near, a_o, a_d, a_t, a_far = chosen, o, d, t, far
    for step in range(STEPS):
        h = distance(near, a_o + a_t[:, None] * a_d)
        ratio = h / (pixel * a_t)
        nearer = ratio < best[active]
        best[active] = torch.where(nearer, ratio, best[active])
        best_t[active] = torch.where(nearer, a_t, best_t[active])
        going = (ratio > 0.05) & (a_t < a_far)
        a_t = a_t + torch.where(going, 0.95 * h.clamp_min(0.002), torch.zeros_like(h))
        if step % 5 == 4:
            kept = torch.nonzero(going)[:, 0]
            if len(kept) == 0:
                break
            active, a_o, a_d, a_t, a_far = active[kept], a_o[kept], a_d[kept], a_t[kept], a_far[kept]
            near = select(near, kept)

    coverage = (1 - 0.5 * best.clamp(0, 2)).clamp(0, 1)
    hit = torch.nonzero(coverage > 0)[:, 0]
    points = o[hit] + best_t[hit][:, None] * d[hit]
    surface = select(chosen, hit)
    color = albedo(surface, points)
    light = (_normals(surface, points) * sun[scene[live[hit]]]).sum(dim=-1).clamp_min(0)

    def image(values: Tensor, channels: int) -> Tensor:
        full = torch.zeros(count * size * size, channels)
        full[live[hit]] = values.reshape(-1, channels)
        return full.reshape(count, size, size, channels)

    return Layers(image(color, 3), image(light, 1)[..., 0], image(coverage[hit], 1)[..., 0])


def _normals(scene: Scene, points: Tensor, step: float = 2e-3) -> Tensor:
    """Unit normals (M, 3), from differences of the distance at the corners of a tetrahedron."""
    corners = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    total = sum(c * distance(scene, points + step * c)[:, None] for c in corners)
    assert isinstance(total, Tensor)
    return torch.nn.functional.normalize(total, dim=-1)


def shade(layers: Layers, background: Tensor, ambient: Tensor) -> Tensor:
    """Composite images (B, H, W, 3): albedo * (a + (1 - a) light) over `background` (B, 3), with a = `ambient` (B,)."""
    a = ambient[:, None, None]
    lit = layers.albedo * (a + (1 - a) * layers.light)[..., None]
    cover = layers.coverage[..., None]
    return lit * cover + background[:, None, None, :] * (1 - cover)
