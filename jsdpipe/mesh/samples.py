"""Points that are spread evenly over a mesh, with their colors."""

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.reading import BadMesh
from jsdpipe.mesh.shading import Shading
from jsdpipe.mesh.surface import Surface

ROUNDS = 100  # of draws: if alpha masks cut away more than 99 % of a surface, it counts as cut away entirely


def sample(surface: Surface, count: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw area-uniform points (count, 3) of a surface, as far as no alpha mask cuts it away, and their sRGB colors.

    Raises `BadMesh` if it is (nearly) all cut away.
    """
    shading, corners = Shading(surface), surface.vertices[surface.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    upper = np.cumsum(areas / areas.sum())
    places, colors, found = [], [], 0
    for _ in range(ROUNDS):
        face = np.searchsorted(upper, rng.random(count) * upper[-1], side="right").astype(np.int32)
        v, side = rng.random((2, count))
        v = 1 - np.sqrt(v)  # denser towards the edge that is opposite, where a triangle is wider
        weights = np.stack(((1 - v) * (1 - side), (1 - v) * side, v))
        kept = ~shading.is_cut(face, *weights[1:].astype(np.float32))
        face, weights = face[kept], weights[:, kept]
        places.append(np.einsum("cn,ncd->nd", weights, corners[face]))
        colors.append(shading.colors(face, weights.astype(np.float32)).T.clip(0, 255) / 255)
        found += len(face)
        if found >= count:
            return np.concatenate(places)[:count], np.concatenate(colors)[:count].astype(np.float64)
    raise BadMesh("alpha masks cut (nearly) all of it away")
