"""Signed distance functions of the miniature world's primitives, batched over rays of many scenes.

Formulas from Inigo Quilez, "Distance functions". Each function maps points (M, 3) in the primitive's own frame, with
sizes (M, k), to distances (M,).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


def ellipsoid(p: Tensor, s: Tensor) -> Tensor:
    """Semi-axes s (M, 3); a first-order bound, exact for spheres."""
    k0 = (p / s).norm(dim=-1)
    k1 = (p / (s * s)).norm(dim=-1).clamp_min(1e-6)
    return k0 * (k0 - 1) / k1


def box(p: Tensor, s: Tensor) -> Tensor:
    """Half sizes s (M, 3)."""
    q = p.abs() - s
    return q.clamp_min(0).norm(dim=-1) + q.amax(dim=-1).clamp_max(0)


def cylinder(p: Tensor, s: Tensor) -> Tensor:
    """Around z: radius s[0], half height s[1]."""
    x = p[:, :2].norm(dim=-1) - s[:, 0]
    z = p[:, 2].abs() - s[:, 1]
    return torch.hypot(x.clamp_min(0), z.clamp_min(0)) + torch.maximum(x, z).clamp_max(0)


def cone(p: Tensor, s: Tensor) -> Tensor:
    """A capped cone around z: radius s[0] at -s[2], radius s[1] at +s[2]."""
    r1, r2, h = s.unbind(-1)
    x, z = p[:, :2].norm(dim=-1), p[:, 2]
    ca_x = x - torch.minimum(x, torch.where(z < 0, r1, r2))
    ca_z = z.abs() - h
    k_x, k_z = r2 - r1, 2 * h
    t = (((r2 - x) * k_x + (h - z) * k_z) / (k_x * k_x + k_z * k_z)).clamp(0, 1)
    cb_x, cb_z = x - r2 + k_x * t, z - h + k_z * t
    inside = (cb_x < 0) & (ca_z < 0)
    d = torch.minimum(ca_x * ca_x + ca_z * ca_z, cb_x * cb_x + cb_z * cb_z).clamp_min(1e-12).sqrt()
    return torch.where(inside, -d, d)


def torus(p: Tensor, s: Tensor) -> Tensor:
    """Around z: ring radius s[0], tube radius s[1]."""
    return torch.hypot(p[:, :2].norm(dim=-1) - s[:, 0], p[:, 2]) - s[:, 1]


def pyramid(p: Tensor, s: Tensor) -> Tensor:
    """Square base of half side s[0] at -s[1], tip at +s[1]; a bound: the maximum of its half-spaces' distances."""
    half, h = s.unbind(-1)
    slope = torch.hypot(half, 2 * h)
    side = (2 * h * p[:, :2].abs().amax(dim=-1) + half * (p[:, 2] - h)) / slope
    return torch.maximum(side, -h - p[:, 2])


SHAPES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ellipsoid": ellipsoid,
    "box": box,
    "cylinder": cylinder,
    "cone": cone,
    "torus": torus,
    "pyramid": pyramid,
}


@dataclass(frozen=True)
class Part:
    """The same primitive in each of B scenes.

    Args:
        shape: a key of `SHAPES`.
        center: (B, 3).
        size: (B, k), the shape's sizes.
        color: (B, 3) in [0, 1].
        yaw: rotation about z in radians (B,).
        rounding: radius (B,) by which the shape grows, with rounded edges.
        keep: the scenes that have the part (B,).
        pattern: (B,), 0 for plain, 1 for rings along z, 2 for spots, 3 for planks along x, 4 for checks in xy.
        second: the pattern's color (B, 3).
        frequency: the pattern's periods per unit (B,).
        axis: the world axis along the shape's own z.
        carve: whether the part is cut out of the solid's earlier parts.
    """

    shape: str
    center: Tensor
    size: Tensor
    color: Tensor
    yaw: Tensor
    rounding: Tensor
    keep: Tensor
    pattern: Tensor
    second: Tensor
    frequency: Tensor
    axis: str = "z"
    carve: bool = False

    def select(self, index: Tensor) -> "Part":
        """The part with parameters (M, ...), for points in the scenes of that index (M,)."""
        rows: dict[str, Any] = {k: v[index] for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **rows)

    def local(self, points: Tensor) -> Tensor:
        """Convert points (M, 3) from the world to the part's frame."""
        p = points - self.center
        c, s = torch.cos(self.yaw), torch.sin(self.yaw)
        x, y, z = c * p[:, 0] + s * p[:, 1], c * p[:, 1] - s * p[:, 0], p[:, 2]
        order = {"z": (x, y, z), "x": (y, z, x), "y": (z, x, y)}[self.axis]
        return torch.stack(order, dim=-1)

    def distance(self, points: Tensor) -> Tensor:
        """Signed distances (M,); absent parts are far away."""
        d = SHAPES[self.shape](self.local(points), self.size) - self.rounding
        return torch.where(self.keep, d, 1e3)

    def albedo(self, points: Tensor) -> Tensor:
        """Colors (M, 3) at points (M, 3) on the surface."""
        p = (points - self.center) * self.frequency[:, None]
        q = p * 0.8
        half = torch.floor(2 * p).long() % 2 == 0  # whether in the first half of a period, by axis
        ring = p[:, 2] - torch.floor(p[:, 2]) < 0.36  # less than half, so that the main color dominates
        marks = torch.stack(
            (
                torch.zeros_like(half[:, 0]),
                ring,
                (q - torch.floor(q) - 0.5).norm(dim=-1) < 0.42,
                torch.floor(4 * p[:, 1]).long() % 4 == 0,
                half[:, 0] ^ half[:, 1],
            )
        )
        marked = marks.gather(0, self.pattern[None])[0]
        return torch.where(marked[:, None], self.second, self.color)


Solid = list[Part]  # a union of parts, minus its carved parts
Scene = list[Solid]


def select(scene: Scene, index: Tensor) -> Scene:
    """The scene with parameters (M, ...), for points in the scenes of that index (M,)."""
    return [[part.select(index) for part in solid] for solid in scene]


def distance(scene: Scene, points: Tensor) -> Tensor:
    """Signed distances (M,) to the union of solids."""
    nearest = torch.full_like(points[:, 0], torch.inf)
    for solid in scene:
        total = solid[0].distance(points)
        for part in solid[1:]:
            d = part.distance(points)
            total = torch.maximum(total, -d) if part.carve else torch.minimum(total, d)
        nearest = torch.minimum(nearest, total)
    return nearest


def albedo(scene: Scene, points: Tensor) -> Tensor:
    """Colors (M, 3) at points (M, 3) on the surface; a cavity has the color of the part that carves it."""
    best = torch.full_like(points[:, 0], torch.inf)
    color = torch.zeros_like(points)
    for part in (part for solid in scene for part in solid):
        d = part.distance(points).abs()
        nearer = d < best
        best = torch.where(nearer, d, best)
        color = torch.where(nearer[:, None], part.albedo(points), color)
    return color
