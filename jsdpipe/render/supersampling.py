"""Flat pictures of a surface, without light, on black; with the shape behind them if it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.surface import Surface
from jsdpipe.render.renderers import Renderer, Samples
from jsdpipe.render.rigs import Cameras


@dataclass(frozen=True)
class View:
    """One camera's picture of a surface, S x S pixels, row 0 the top; a pixel is the mean of its samples.

    `rgb` (S, S, 3) uint8, where samples that miss are black. If they were asked for: `coverage` (S, S) float32, the
    share of samples that hit; over these, `depth` (S, S) float32, the distance along the camera's axis in units of the
    world, infinite where none hits; and `normals` (S, S, 3) float32, of the triangles (not interpolated), in world
    axes, turned to the camera, of length 1, or 0 where none hits.
    """

    rgb: NDArray[np.uint8]
    coverage: NDArray[np.float32] | None = None
    depth: NDArray[np.float32] | None = None
    normals: NDArray[np.float32] | None = None


def render_each(
    renderer: Renderer, cameras: Cameras, size: int, supersample: int = 1, geometry: bool = False
) -> Iterator[View]:
    """Yield each camera's view of supersample^2 samples a pixel, with what is behind its colours if `geometry`."""
    normals = _face_normals(renderer.surface) if geometry else None
    for pose, fovy in zip(cameras.camera_to_world.double().numpy(), cameras.fovy.tolist(), strict=True):
        samples = renderer.look(pose, fovy, size * supersample, geometry)
        rgb = samples.rgb
        if supersample > 1:
            rgb = (_sums(rgb, supersample) / np.float32(supersample**2)).round().astype(np.uint8)
        shape = () if normals is None else _shape(samples, supersample, renderer.surface, normals, pose[:3, 3])
        yield View(rgb, *shape)


def _shape(
    samples: Samples,
    supersample: int,
    surface: Surface,
    normals: NDArray[np.float32],
    position: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """A view's coverage, depth and normals, from its samples."""
    assert samples.hit is not None and samples.face is not None and samples.depth is not None
    hits = _sums(samples.hit, supersample)
    seen = normals[samples.face]
    away = ((position - surface.vertices[surface.faces[samples.face, 0]]) * seen).sum(axis=-1) < 0
    seen[away] *= -1
    seen[~samples.hit] = 0
    total = _sums(seen, supersample)
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    depth = np.full(hits.shape, np.inf, np.float32)
    np.divide(_sums(np.where(samples.hit, samples.depth, 0), supersample), hits, out=depth, where=hits > 0)
    turned = np.divide(total, length, out=np.zeros_like(total), where=length > 0)
    return (hits / supersample**2).astype(np.float32), depth, turned


def _sums(samples: NDArray[Any], supersample: int) -> NDArray[Any]:
    """Sums over the supersample^2 samples of each pixel; whole numbers as uint16, which 64 bytes do not overflow."""
    dtype = np.float32 if samples.dtype.kind == "f" else np.uint16
    offsets = np.ndindex(supersample, supersample)
    return reduce(np.add, (samples[i::supersample, j::supersample].astype(dtype) for i, j in offsets))


def _face_normals(surface: Surface) -> NDArray[np.float32]:
    """Unit normals (F, 3) of the triangles; 0 of those without area."""
    corners = surface.vertices[surface.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.divide(normals, length, out=np.zeros_like(normals), where=length > 0).astype(np.float32)
