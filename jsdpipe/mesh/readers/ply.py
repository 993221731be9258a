"""PLY files, ASCII or binary: polygons of any size, colors of vertices or faces, and a texture (`TextureFile`)."""

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElementParseError, PlyHeaderParseError

from jsdpipe.base.mesh_references import BOM, named_by, unix
from jsdpipe.mesh.readers.base import (
    GREY,
    SEE_THROUGH,
    BadMesh,
    Notes,
    Part,
    base_colors,
    check_indices,
    triangulate,
    unit_colors,
)
from jsdpipe.mesh.readers.referenced import read_texture

COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))  # names that exporters use
COLORS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
ALPHAS = (("alpha",), ("diffuse_alpha",), ("a",))
INDICES = ("vertex_indices", "vertex_index")


def parts(path: Path, notes: Notes) -> Iterator[Part]:
    """Read one part per texture, or a single one without textures; polygons become triangle fans."""
    elements = {element.name: element.data for element in _read(path)}
    if "face" not in elements:  # a point cloud
        return
    vertex, face = elements["vertex"], elements["face"]
    vertices = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float64)
    indices = next((name for name in INDICES if name in face.dtype.names), INDICES[0])
    corners, polygon, corner_uv = _triangles(
        face[indices], face["texcoord"] if "texcoord" in face.dtype.names else None
    )
    check_indices(corners, len(vertices))
    faces = corners.reshape(-1, 3)
    colors, uv, face_colors = _colors(vertex, notes), _columns(vertex, COORDINATES), _colors(face, notes)
    if corner_uv is not None or (colors is None and face_colors is not None):  # every corner becomes a vertex
        colors = colors[corners] if colors is not None else face_colors[polygon] if face_colors is not None else None
        uv = corner_uv if corner_uv is not None else uv[corners] if uv is not None else None
        vertices, faces = vertices[corners], np.arange(len(corners)).reshape(-1, 3)
    textures = [read_texture(path.parent, name, notes) for name in named_by(path)] if uv is not None else []
    number = face["texnumber"][polygon[::3]] if len(textures) > 1 else np.zeros(len(faces))
    for index, texture in enumerate(textures or [None]):
        if texture is None:
            yield Part(vertices, faces[number == index], base_colors(GREY if colors is None else colors, None))
        else:
            yield Part(vertices, faces[number == index], base_colors(colors, None), uv, texture)


def _read(path: Path) -> PlyData:
    """Read a file's elements; values behind those that the header declares are ignored in ASCII files.

    Raises `BadMesh`, which says where the file is broken.
    """
    try:
        try:
            with path.open("rb") as stream:
                marked = stream.read(len(BOM)) == BOM
            return PlyData.read(BytesIO(path.read_bytes()[len(BOM) :]) if marked else path)
        except PlyElementParseError as error:
            if error.message != "expected end-of-line":
                raise
        return PlyData.read(BytesIO(_as_declared(unix(path.read_bytes()))))
    except PlyElementParseError as error:
        where = f"row {error.row + 1} of its element {error.element.name}"
        raise BadMesh(f"{where} is cut short, or not as the header declares") from None
    except PlyHeaderParseError as error:
        raise BadMesh(f"not a PLY file, or broken in line {error.line}") from None


def _as_declared(content: bytes) -> bytes:
    """Cut each row of an ASCII file to the values that its header declares."""
    lines = content.split(b"\n")
    body = next(at for at, line in enumerate(lines) if line.strip() == b"end_header") + 1
    elements: list[tuple[int, list[bool]]] = []  # per element: its rows, and which of its properties are lists
    for line in lines[:body]:
        match line.split():
            case [b"element", _, count]:
                elements.append((int(count), []))
            case [b"property", kind, *_]:
                elements[-1][1].append(kind == b"list")
    rows = iter(lines[body:])
    cut = [_cut(row, lists) for count, lists in elements for row in islice(rows, count)]
    return b"\n".join([*lines[:body], *cut, b""])


def _cut(row: bytes, lists: list[bool]) -> bytes:
    """Keep one value per property, or for a list its length and its items; a row with too few values stays as it is."""
    values, end = row.split(), 0
    for is_list in lists:
        if end >= len(values) or (is_list and not values[end].isdigit()):
            return row
        end += 1 + (int(values[end]) if is_list else 0)
    return b" ".join(values[:end])


def _columns(element: NDArray[Any], names: tuple[tuple[str, ...], ...]) -> NDArray[Any] | None:
    """Stack the columns (N, C) of the first group of names that the element has all of."""
    group = next((group for group in names if set(group) <= set(element.dtype.names or ())), None)
    return None if group is None else np.stack([element[name] for name in group], axis=1)


def _colors(element: NDArray[Any], notes: Notes) -> NDArray[np.float64] | None:
    """Read the colors (N, 3) of an element's rows, in [0, 1]."""
    colors, alpha = _columns(element, COLORS), _columns(element, ALPHAS)
    if alpha is not None and (unit_colors(alpha, notes) < 1).any():
        notes.add(SEE_THROUGH)
    return None if colors is None else unit_colors(colors, notes)


def _triangles(
    polygons: NDArray[np.object_], coordinates: NDArray[np.object_] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None]:
    """Split polygons into T triangles; returns each corner's vertex (3 T,), polygon (3 T,) and uv (3 T, 2) or None."""
    corners, owners, uvs = [], [], []
    lengths = np.array([len(polygon) for polygon in polygons])
    for length in np.unique(lengths[lengths > 2]):
        rows = np.flatnonzero(lengths == length)
        chosen = triangulate(np.arange(len(rows) * length).reshape(-1, length)).ravel()
        corners.append(np.concatenate(polygons[rows]).astype(np.int64)[chosen])
        owners.append(rows.repeat(length)[chosen])
        if coordinates is not None:
            uvs.append(np.concatenate(coordinates[rows]).astype(np.float64).reshape(-1, 2)[chosen])
    empty = np.empty(0, np.int64)
    return (
        np.concatenate([empty, *corners]),
        np.concatenate([empty, *owners]),
        None if coordinates is None else np.concatenate([np.empty((0, 2)), *uvs]),
    )
