"""PLY files, ASCII or binary: polygons of any size, colours of vertices or faces, and a texture (`TextureFile`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData

from jsdpipe.mesh.parts import GREY, Part, fans, shades
from jsdpipe.mesh.readers.files import named_picture
from jsdpipe.mesh.readers.names import named_by

COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))  # as exporters name them
COLOURS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
INDICES = ("vertex_indices", "vertex_index")


def parts(path: Path) -> Iterator[Part]:
    """A part a texture, one if there is none; polygons become fans of triangles."""
    elements = {element.name: element.data for element in PlyData.read(path)}
    if "face" not in elements:  # points
        return
    vertex, face = elements["vertex"], elements["face"]
    places = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float64)
    indices = next((name for name in INDICES if name in face.dtype.names), INDICES[0])
    corners, of, uv_of_corners = _triangles(face[indices], face["texcoord"] if "texcoord" in face.dtype.names else None)
    faces = corners.reshape(-1, 3)
    own, uv, of_faces = _columns(vertex, COLOURS), _columns(vertex, COORDINATES), _columns(face, COLOURS)
    if uv_of_corners is not None or (own is None and of_faces is not None):  # corners of their own
        own = own[corners] if own is not None else of_faces[of] if of_faces is not None else None
        uv = uv_of_corners if uv_of_corners is not None else uv[corners] if uv is not None else None
        places, faces = places[corners], np.arange(len(corners)).reshape(-1, 3)
    textures = [named_picture(path.parent, name) for name in named_by(path)] if uv is not None else []
    if not textures:
        yield Part(places, faces, shades(GREY if own is None else own, None))
    which = face["texnumber"][of[::3]] if len(textures) > 1 else np.zeros(len(faces))
    for index, texture in enumerate(textures):
        yield Part(places, faces[which == index], shades(own, None), uv, texture)


def _columns(element: NDArray[Any], names: tuple[tuple[str, ...], ...]) -> NDArray[Any] | None:
    """The columns of the first names that are all there, side by side (N, C)."""
    known = next((of for of in names if set(of) <= set(element.dtype.names or ())), None)
    return None if known is None else np.stack([element[name] for name in known], axis=1)


def _triangles(
    polygons: NDArray[np.object_], coordinates: NDArray[np.object_] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None]:
    """The corners (3 T,) of polygons' triangles: of each its vertex, its polygon and perhaps its u, v (3 T, 2)."""
    corners, owners, uvs = [], [], []
    lengths = np.array([len(polygon) for polygon in polygons])
    for length in np.unique(lengths[lengths > 2]):
        rows = np.flatnonzero(lengths == length)
        of = fans(np.arange(len(rows) * length).reshape(-1, length)).ravel()
        corners.append(np.concatenate(polygons[rows]).astype(np.int64)[of])
        owners.append(rows.repeat(length)[of])
        if coordinates is not None:
            uvs.append(np.concatenate(coordinates[rows]).astype(np.float64).reshape(-1, 2)[of])
    empty = np.empty(0, np.int64)
    return (
        np.concatenate([empty, *corners]),
        np.concatenate([empty, *owners]),
        None if coordinates is None else np.concatenate([np.empty((0, 2)), *uvs]),
    )
