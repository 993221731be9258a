"""PLY files, ASCII or binary: polygons of any size, colours of vertices or faces, and a texture (`TextureFile`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.parts import GREY, Part, fans, shades
from jsdpipe.mesh.readers.files import named_picture
from jsdpipe.mesh.readers.names import named_by

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))  # as exporters name them
COLOURS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
INDICES = ("vertex_indices", "vertex_index")


@dataclass(frozen=True)
class _Property:
    """A column of an element; with `counter`, the type of each row's number of values, it is a list."""

    name: str
    kind: np.dtype[Any]
    counter: np.dtype[Any] | None


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    properties: list[_Property]


# of each property: (N,), or of lists (N, M), or N arrays where their lengths differ
Columns = dict[str, Any]


def parts(path: Path) -> Iterator[Part]:
    """A part a texture, one if there is none; polygons become fans of triangles."""
    elements = _read(path)
    vertex, face = elements.get("vertex", {}), elements.get("face", {})
    polygons: Any = next((face[name] for name in INDICES if name in face), [])
    if not len(polygons):
        return
    places = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float64)
    corners, of, uv_of_corners = _triangles(polygons, face.get("texcoord"))
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


def _columns(element: Columns, names: tuple[tuple[str, ...], ...]) -> NDArray[Any] | None:
    """The columns of the first names that are all there, side by side (N, C)."""
    known = next((of for of in names if all(name in element for name in of)), None)
    return None if known is None else np.stack([element[name] for name in known], axis=1)


def _triangles(
    polygons: Any, coordinates: Any | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None]:
    """The corners (3 T,) of polygons' triangles: of each its vertex, its polygon and perhaps its u, v (3 T, 2)."""
    corners, owners, uvs = [], [], []
    lengths = np.array([len(polygon) for polygon in polygons])
    for length in np.unique(lengths[lengths > 2]):
        rows = np.flatnonzero(lengths == length)
        of_length = polygons if len(rows) == len(lengths) else [polygons[row] for row in rows]
        of = fans(np.arange(len(rows) * length).reshape(-1, length)).ravel()
        corners.append(np.asarray(of_length, np.int64).ravel()[of])
        owners.append(rows.repeat(length)[of])
        if coordinates is not None:
            uvs.append(np.array([coordinates[row] for row in rows], np.float64).reshape(-1, 2)[of])
    empty = np.empty(0, np.int64)
    return (
        np.concatenate([empty, *corners]),
        np.concatenate([empty, *owners]),
        None if coordinates is None else np.concatenate([np.empty((0, 2)), *uvs]),
    )


def _read(path: Path) -> dict[str, Columns]:
    """The columns of each element; ValueError if there are too few bytes for them."""
    stream = BytesIO(path.read_bytes())
    order, elements = _header(stream)
    body = stream.read()
    if order == "ascii":  # as binary of one type
        body = np.array(body.split(), np.float64).tobytes()
    found, offset = dict[str, Columns](), 0
    for element in elements:
        of_element, offset = _rows(element, body, offset, order == "ascii")
        found[element.name] = {
            of.name: of_element[of.name] if of.counter else np.asarray(of_element[of.name]).ravel().astype(of.kind)
            for of in element.properties
        }
    return found


def _rows(element: _Element, body: bytes, offset: int, ascii: bool) -> tuple[Columns, int]:
    """An element's columns, whose first row begins at an offset, and where the last one ends."""
    if not element.count:
        return {of.name: np.empty(0) for of in element.properties}, offset
    # as one block, if all rows are as long as the first
    first, _ = _row(element, body, offset, ascii)
    fields = list[Any]()
    for of, values in zip(element.properties, first, strict=True):
        fields += [(f"#{of.name}", _stored(of.counter, ascii))] if of.counter else []
        fields.append((of.name, values.dtype, (len(values),)))
    block = np.dtype(fields)
    if offset + element.count * block.itemsize <= len(body):
        rows = np.frombuffer(body, block, element.count, offset)
        counts = [rows[f"#{of.name}"] for of in element.properties if of.counter]
        if all((count == count[0]).all() for count in counts):
            return {of.name: rows[of.name] for of in element.properties}, offset + rows.nbytes
    columns: Columns = {of.name: [] for of in element.properties}
    for _ in range(element.count):
        row, offset = _row(element, body, offset, ascii)
        for of, values in zip(element.properties, row, strict=True):
            columns[of.name].append(values)
    return columns, offset


def _row(element: _Element, body: bytes, offset: int, ascii: bool) -> tuple[list[NDArray[Any]], int]:
    """The values of each property in the row that begins at an offset, and where it ends."""
    values = []
    for of in element.properties:
        count = 1
        if of.counter:
            counter = _stored(of.counter, ascii)
            count, offset = int(np.frombuffer(body, counter, 1, offset)[0]), offset + counter.itemsize
        kind = _stored(of.kind, ascii)
        values.append(np.frombuffer(body, kind, count, offset))
        offset += count * kind.itemsize
    return values, offset


def _stored(kind: np.dtype[Any], ascii: bool) -> np.dtype[Any]:
    return np.dtype(np.float64) if ascii else kind


def _header(stream: BytesIO) -> tuple[str, list[_Element]]:
    if stream.readline().strip() != b"ply":
        raise ValueError("no PLY")
    order, elements = "", list[_Element]()
    while (words := stream.readline().decode("utf-8", "replace").split()) != ["end_header"]:
        match words:
            case ["format", order, _]:
                pass
            case ["element", name, count]:
                elements.append(_Element(name, int(count), []))
            case ["property", "list", counter, kind, name]:
                elements[-1].properties.append(_Property(name, _type(kind, order), _type(counter, order)))
            case ["property", kind, name]:
                elements[-1].properties.append(_Property(name, _type(kind, order), None))
            case ["comment" | "obj_info", *_]:
                pass
            case _:
                raise ValueError(f"a line of its header is {' '.join(words)!r}")
    return order, elements


def _type(name: str, order: str) -> np.dtype[Any]:
    return np.dtype(ORDERS[order] + TYPES[name])
