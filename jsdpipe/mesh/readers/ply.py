"""PLY files, ASCII or binary: polygons of any size, colours of vertices or faces, and a texture (`TextureFile`)."""

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElementParseError, PlyHeaderParseError

from jsdpipe.mesh.parts import GREY, Part, fans, shades
from jsdpipe.mesh.readers.colours import SEE_THROUGH, shares
from jsdpipe.mesh.readers.files import BadMesh, Notes, named_texture
from jsdpipe.pipeline.mesh_references import BOM, named_by, unix

COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))  # as exporters name them
COLOURS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
ALPHAS = (("alpha",), ("diffuse_alpha",), ("a",))
INDICES = ("vertex_indices", "vertex_index")


def parts(path: Path, notes: Notes) -> Iterator[Part]:
    """A part a texture, one if there is none; polygons become fans of triangles."""
    elements = {element.name: element.data for element in _read(path)}
    if "face" not in elements:  # points
        return
    vertex, face = elements["vertex"], elements["face"]
    places = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float64)
    indices = next((name for name in INDICES if name in face.dtype.names), INDICES[0])
    corners, of, uv_of_corners = _triangles(face[indices], face["texcoord"] if "texcoord" in face.dtype.names else None)
    if len(corners) and not 0 <= corners.min() <= corners.max() < len(places):
        raise BadMesh("a face names a vertex that is not there")
    faces = corners.reshape(-1, 3)
    own, uv, of_faces = _colours(vertex, notes), _columns(vertex, COORDINATES), _colours(face, notes)
    if uv_of_corners is not None or (own is None and of_faces is not None):  # corners of their own
        own = own[corners] if own is not None else of_faces[of] if of_faces is not None else None
        uv = uv_of_corners if uv_of_corners is not None else uv[corners] if uv is not None else None
        places, faces = places[corners], np.arange(len(corners)).reshape(-1, 3)
    textures = [named_texture(path.parent, name, notes) for name in named_by(path)] if uv is not None else []
    which = face["texnumber"][of[::3]] if len(textures) > 1 else np.zeros(len(faces))
    for index, texture in enumerate(textures or [None]):
        if texture is None:
            yield Part(places, faces[which == index], shades(GREY if own is None else own, None))
        else:
            yield Part(places, faces[which == index], shades(own, None), uv, texture)


def _read(path: Path) -> PlyData:
    """A file's elements, without what stands in an ASCII file's rows behind the values that its header declares.

    `BadMesh` says where it is broken.
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
    """An ASCII file whose rows have no more values than its header declares."""
    lines = content.split(b"\n")
    body = next(at for at, line in enumerate(lines) if line.strip() == b"end_header") + 1
    elements: list[tuple[int, list[bool]]] = []  # of each, its rows, and which of its properties are lists
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
    """A row's first values, one a property, of a list its length and as many; the row as it is if it has fewer."""
    values, end = row.split(), 0
    for is_list in lists:
        if end >= len(values) or (is_list and not values[end].isdigit()):
            return row
        end += 1 + (int(values[end]) if is_list else 0)
    return b" ".join(values[:end])


def _columns(element: NDArray[Any], names: tuple[tuple[str, ...], ...]) -> NDArray[Any] | None:
    """The columns of the first names that are all there, side by side (N, C)."""
    known = next((of for of in names if set(of) <= set(element.dtype.names or ())), None)
    return None if known is None else np.stack([element[name] for name in known], axis=1)


def _colours(element: NDArray[Any], notes: Notes) -> NDArray[np.float64] | None:
    """The colours (N, 3) of an element's rows, as shares of 1."""
    found, alpha = _columns(element, COLOURS), _columns(element, ALPHAS)
    if alpha is not None and (shares(alpha, notes) < 1).any():
        notes.say(SEE_THROUGH)
    return None if found is None else shares(found, notes)


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
