"""Render the miniature world by sphere tracing, picture by picture, in compiled code.

An image is kept in layers (albedo, light, coverage), so that one rendering serves for many lights and backgrounds. The
formulas are those of `solids`, and so are their results but for rounding.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jsdpipe.base.cameras import look_at_origin, orbit, rays
from jsdpipe.miniature.solids import SHAPES, Part, Scene

SIZE = 64
FOVY = math.radians(45)
DISTANCE = 2.6
STEPS = 40
REACH = 1.35  # radius of a ball that contains every scene
NOTHING = 255  # in maps of solids: no solid is seen

ELLIPSOID, BOX, CYLINDER, CONE, TORUS, PYRAMID = range(len(SHAPES))
PART = np.dtype(
    [
        ("shape", np.int64),  # index in `SHAPES`
        ("axis", np.int64),  # index in "xyz"
        ("center", np.float64, 3),
        ("size", np.float64, 3),
        ("cosine", np.float64),  # of the yaw
        ("sine", np.float64),
        ("rounding", np.float64),
        ("keep", np.bool_),
        ("carve", np.bool_),
        ("color", np.float64, 3),
        ("pattern", np.int64),
        ("second", np.float64, 3),
        ("frequency", np.float64),
    ]
)
# without `fastmath`, so that every CPU computes the same; compiled by every process, in seconds, because a cache would
# need a folder that can be written
compiled = partial(numba.njit, nogil=True, error_model="numpy")


@dataclass(frozen=True)
class Layers:
    """Albedo (B, H, W, 3), light max(n . l, 0) (B, H, W) and coverage (B, H, W), all float32 in [0, 1]."""

    albedo: Tensor
    light: Tensor
    coverage: Tensor


@dataclass(frozen=True)
class Traced(Layers):
    """Layers, with what is seen of each solid.

    Args:
        solid: the number of the solid that a pixel shows (B, H, W), uint8, `NOTHING` for the background.
        visible: the share of each solid's own silhouette that no other solid hides (B, S).
    """

    solid: Tensor
    visible: Tensor


def trace(scenes: Scene, azimuth: Tensor, elevation: Tensor, sun: Tensor, size: int = SIZE) -> Traced:
    """Render B scenes, each from its own view, on as many threads as PyTorch uses.

    Silhouettes are antialiased: a ray that misses covers its pixel in part if it comes close to the surface.

    Args:
        azimuth: (B,) in radians.
        elevation: (B,) in radians.
        sun: unit vectors (B, 3) towards the light.
    """
    count = len(azimuth)
    distance = torch.full((count,), DISTANCE, dtype=torch.float64)
    position = orbit(azimuth.double(), elevation.double(), distance)
    _, directions = rays(look_at_origin(position), torch.full((count,), FOVY, dtype=torch.float64), size)
    parts = np.stack([packed(part) for solid in scenes for part in solid], axis=1)
    starts = np.cumsum([0, *map(len, scenes)])
    albedo = np.zeros((count, size * size, 3), np.float32)
    light, coverage = np.zeros((2, count, size * size), np.float32)
    solid = np.full((count, size * size), NOTHING, np.uint8)
    visible = np.zeros((count, len(scenes)), np.float32)
    pixel = math.tan(FOVY / 2) / size  # half a pixel at distance 1
    pictures = (
        parts,
        position.numpy(),
        directions.reshape(count, -1, 3).numpy(),
        sun.double().numpy(),
        albedo,
        light,
        coverage,
        solid,
        visible,
    )
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(partial(_picture, starts, pixel), *pictures))

    def image(values: NDArray) -> Tensor:
        return torch.from_numpy(values).reshape(count, size, size, *values.shape[2:])

    return Traced(image(albedo), image(light), image(coverage), image(solid), torch.from_numpy(visible))


def packed(part: Part) -> NDArray:
    """A part in each of B scenes, as records (B,)."""
    records = np.zeros(len(part.center), PART)
    records["shape"] = list(SHAPES).index(part.shape)
    records["axis"] = "xyz".index(part.axis)
    records["size"][:, : part.size.shape[1]] = part.size
    records["cosine"], records["sine"] = part.yaw.double().cos(), part.yaw.double().sin()
    records["carve"] = part.carve
    for name in ("center", "rounding", "keep", "color", "pattern", "second", "frequency"):
        records[name] = getattr(part, name)
    return records


@compiled()
def _picture(
    starts: NDArray,
    pixel: float,
    parts: NDArray,
    origin: NDArray,
    directions: NDArray,
    sun: NDArray,
    albedo: NDArray,
    light: NDArray,
    coverage: NDArray,
    solid: NDArray,
    visible: NDArray,
) -> None:
    """Trace one picture's rays, and write its layers."""
    solids = len(starts) - 1
    own, seen = np.zeros(solids), np.zeros(solids)  # pixels
    for p in range(len(directions)):
        direction = directions[p]
        t, ratio = _march(parts, starts, origin, direction, pixel)
        covered = 1 - 0.5 * min(max(ratio, 0.0), 2.0)
        if covered <= 0:
            continue
        coverage[p] = covered
        x, y, z = origin[0] + t * direction[0], origin[1] + t * direction[1], origin[2] + t * direction[2]
        paint(parts, x, y, z, albedo[p])
        light[p] = _light(parts, starts, x, y, z, sun)
        if covered < 0.5:
            continue
        nearest, front = np.inf, 0
        for s in range(solids):
            d = signed_distance(parts, starts[s : s + 2], x, y, z)
            if d < nearest:
                nearest, front = d, s
        solid[p] = front
        seen[front] += 1
        for s in range(solids):
            if s == front or _march(parts, starts[s : s + 2], origin, direction, pixel)[1] <= 1:
                own[s] += 1
    for s in range(solids):
        visible[s] = seen[s] / max(own[s], 1.0)


@compiled()
def _march(parts: NDArray, starts: NDArray, origin: NDArray, direction: NDArray, pixel: float) -> tuple[float, float]:
    """Where a ray comes nearest to the solids, and how near, in half pixels; infinite out of reach."""
    along = -(origin[0] * direction[0] + origin[1] * direction[1] + origin[2] * direction[2])
    gap = 0.0
    for i in range(3):
        gap += (origin[i] + along * direction[i]) ** 2
    if gap >= REACH * REACH:
        return 0.0, np.inf
    half_chord = math.sqrt(REACH * REACH - gap)
    t, far = along - half_chord, along + half_chord
    best, best_t = np.inf, t
    for _ in range(STEPS):
        h = signed_distance(
            parts, starts, origin[0] + t * direction[0], origin[1] + t * direction[1], origin[2] + t * direction[2]
        )
        ratio = h / (pixel * t)
        if ratio < best:
            best, best_t = ratio, t
        if ratio <= 0.05 or t >= far:
            break
        t += 0.95 * max(h, 0.002)
    return best_t, best


@compiled()
def signed_distance(parts: NDArray, starts: NDArray, x: float, y: float, z: float) -> float:
    """The signed distance to the union of the solids whose parts begin at `starts`, where the last one ends."""
    nearest = np.inf
    for s in range(len(starts) - 1):
        total = np.inf
        for i in range(starts[s], starts[s + 1]):
            d = _part_distance(parts[i], x, y, z)
            total = max(total, -d) if parts[i].carve else min(total, d)
        nearest = min(nearest, total)
    return nearest


@compiled()
def _part_distance(part: Any, x: float, y: float, z: float) -> float:
    """The signed distance to one part; see `solids` for the formulas."""
    if not part.keep:
        return 1e3
    size = part.size
    x, y, z = x - part.center[0], y - part.center[1], z - part.center[2]
    x, y = part.cosine * x + part.sine * y, part.cosine * y - part.sine * x
    if part.axis == 0:
        x, y, z = y, z, x
    elif part.axis == 1:
        x, y, z = z, x, y
    if part.shape == ELLIPSOID:
        a, b, c = x / size[0], y / size[1], z / size[2]
        k0 = math.sqrt(a * a + b * b + c * c)
        a, b, c = a / size[0], b / size[1], c / size[2]
        d = k0 * (k0 - 1) / max(math.sqrt(a * a + b * b + c * c), 1e-6)
    elif part.shape == BOX:
        a, b, c = abs(x) - size[0], abs(y) - size[1], abs(z) - size[2]
        outside = max(a, 0.0) ** 2 + max(b, 0.0) ** 2 + max(c, 0.0) ** 2
        d = math.sqrt(outside) + min(max(a, max(b, c)), 0.0)
    elif part.shape == CYLINDER:
        a, b = math.sqrt(x * x + y * y) - size[0], abs(z) - size[1]
        d = math.sqrt(max(a, 0.0) ** 2 + max(b, 0.0) ** 2) + min(max(a, b), 0.0)
    elif part.shape == CONE:
        r, h = math.sqrt(x * x + y * y), size[2]
        a, b = r - min(r, size[0] if z < 0 else size[1]), abs(z) - h
        slope, height = size[1] - size[0], 2 * h
        t = ((size[1] - r) * slope + (h - z) * height) / (slope * slope + height * height)
        t = min(max(t, 0.0), 1.0)
        e, f = r - size[1] + slope * t, z - h + height * t
        d = math.sqrt(max(min(a * a + b * b, e * e + f * f), 1e-12))
        if e < 0 and b < 0:
            d = -d
    elif part.shape == TORUS:
        a = math.sqrt(x * x + y * y) - size[0]
        d = math.sqrt(a * a + z * z) - size[1]
    else:  # PYRAMID
        half, h = size[0], size[1]
        slope = math.sqrt(half * half + 4 * h * h)
        d = max((2 * h * max(abs(x), abs(y)) + half * (z - h)) / slope, -h - z)
    return d - part.rounding


@compiled()
def paint(parts: NDArray, x: float, y: float, z: float, color: NDArray) -> None:
    """Write the color of the part whose surface is nearest."""
    nearest, best = np.inf, 0
    for i in range(len(parts)):
        d = abs(_part_distance(parts[i], x, y, z))
        if d < nearest:
            nearest, best = d, i
    part = parts[best]
    x, y, z = x - part.center[0], y - part.center[1], z - part.center[2]
    x, y, z = x * part.frequency, y * part.frequency, z * part.frequency
    marked = False
    if part.pattern == 1:
        marked = z - math.floor(z) < 0.36
    elif part.pattern == 2:
        a, b, c = 0.8 * x, 0.8 * y, 0.8 * z
        a, b, c = a - math.floor(a) - 0.5, b - math.floor(b) - 0.5, c - math.floor(c) - 0.5
        marked = math.sqrt(a * a + b * b + c * c) < 0.42
    elif part.pattern == 3:
        marked = math.floor(4 * y) % 4 == 0
    elif part.pattern == 4:
        marked = (math.floor(2 * x) % 2 == 0) != (math.floor(2 * y) % 2 == 0)
    for i in range(3):
        color[i] = part.second[i] if marked else part.color[i]


@compiled()
def _light(parts: NDArray, starts: NDArray, x: float, y: float, z: float, sun: NDArray) -> float:
    """max(n . l, 0), the normal from differences of the distance at the corners of a tetrahedron."""
    e = 2e-3
    a = signed_distance(parts, starts, x + e, y - e, z - e)
    b = signed_distance(parts, starts, x - e, y - e, z + e)
    c = signed_distance(parts, starts, x - e, y + e, z - e)
    d = signed_distance(parts, starts, x + e, y + e, z + e)
    nx, ny, nz = a - b - c + d, -a - b + c + d, -a + b - c + d
    length = max(math.sqrt(nx * nx + ny * ny + nz * nz), 1e-12)
    return max((nx * sun[0] + ny * sun[1] + nz * sun[2]) / length, 0.0)


def shade(layers: Layers, background: Tensor, ambient: Tensor) -> Tensor:
    """Composite images (B, H, W, 3): albedo * (a + (1 - a) light) over `background` (B, 3), with a = `ambient` (B,)."""
    a = ambient[:, None, None]
    lit = layers.albedo * (a + (1 - a) * layers.light)[..., None]
    cover = layers.coverage[..., None]
    return lit * cover + background[:, None, None, :] * (1 - cover)
