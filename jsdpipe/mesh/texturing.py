"""Bake a field's colors into a texture, on an atlas by xatlas."""

from collections.abc import Callable

import numpy as np
import xatlas
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from jsdpipe.mesh.surface import Surface, Texture

PADDING = 4  # texels between charts

Colors = Callable[[NDArray[np.float64]], NDArray[np.uint8]]


def bake_texture(surface: Surface, colors: Colors, size: int) -> Surface:
    """Replace a surface's vertex colors by one texture of size x size texels.

    Each texel gets the color of the surface point at its center. Texels between charts copy their nearest neighbor,
    so that no seam shows. Vertices on seams are duplicated.

    Args:
        colors: maps points (N, 3) to colors (N, 3), uint8.
        size: texels per side.
    """
    atlas = xatlas.Atlas()
    atlas.add_mesh(surface.vertices.astype(np.float32), surface.faces.astype(np.uint32))
    pack = xatlas.PackOptions()
    pack.resolution, pack.padding, pack.bilinear = size, PADDING, True
    atlas.generate(pack_options=pack)
    origin, corners, uv = atlas[0]
    vertices, faces = surface.vertices[origin], corners.astype(np.int64)

    face, weights = _at_texels(uv, faces, size)
    seen = face >= 0
    points = (weights[seen][..., None] * vertices[faces[face[seen]]]).sum(axis=1)
    image = np.zeros((*face.shape, 3), np.uint8)
    image[seen] = colors(points)
    image = image[tuple(distance_transform_edt(~seen, return_distances=False, return_indices=True))]
    white = np.full((len(vertices), 3), 255, np.uint8)
    return Surface(vertices, faces, white, uv.astype(np.float32), np.zeros(len(faces), np.int32), (Texture(image),))


def _at_texels(
    uv: NDArray[np.float32], faces: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Find the face (S, S) at each texel's center, -1 for none, and the barycentric weights (S, S, 3) there."""
    scene = EmbreeScene()
    # in units of texels, so that none is below the rays' precision
    flat = np.concatenate([uv * np.float32(size), np.zeros((len(uv), 1), np.float32)], axis=1)
    TriangleMesh(scene=scene, vertices=flat.astype(np.float32), indices=faces.astype(np.int32))
    rows, columns = np.mgrid[:size, :size]
    centers = np.stack([columns + 0.5, size - rows - 0.5, np.ones_like(rows)], axis=-1)  # v upwards
    origins = centers.reshape(-1, 3).astype(np.float32)
    down = np.zeros_like(origins)
    down[:, 2] = -1
    hit = scene.run(origins, down, output=True)
    u, v = hit["u"].astype(np.float64), hit["v"].astype(np.float64)
    weights = np.stack([1 - u - v, u, v], axis=-1)
    return hit["primID"].reshape(size, size), weights.reshape(size, size, 3)
