"""OBJ files and their MTL: polygons of any size, materials, textures, and vertex colours (`v x y z r g b`)."""

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.parts import GREY, Part, shades
from jsdpipe.mesh.readers.files import named_bytes, named_picture
from jsdpipe.mesh.readers.names import libraries, plain, texture_line


@dataclass
class _Material:
    """`Kd`, and `map_Kd` with the scale and offset of its texture coordinates."""

    colour: NDArray[np.float64] | None = None
    texture: NDArray[np.uint8] | None = None
    options: dict[str, list[float]] = field(default_factory=dict)


def parts(path: Path) -> Iterator[Part]:
    """A part a material, and one of its faces that lack texture coordinates; polygons become fans of triangles."""
    places, colours, coordinates = array("d"), array("d"), array("d")
    # of a material, with texture coordinates or without: of each corner, its vertex's and its coordinates' number
    corners: dict[tuple[str, bool], tuple[array[int], array[int]]] = defaultdict(lambda: (array("q"), array("q")))
    materials: dict[str, _Material] = {}
    used = ""
    for line in plain(path.read_bytes()).split("\n"):
        key, *words = line.split() or [""]
        if key == "v":
            places.extend(map(float, words[:3]))
            colours.extend(map(float, words[3:6] if len(words) >= 6 else ()))
        elif key == "vt":
            coordinates.extend(map(float, [*words, "0"][:2]))
        elif key == "f":
            polygon = [word.split("/") for word in words]
            of = [_number(corner[0], len(places) // 3) for corner in polygon]
            at = [_number(corner[1], len(coordinates) // 2) for corner in polygon if len(corner) > 1 and corner[1]]
            mapped = len(at) == len(of)
            vertices, uv = corners[used, mapped]
            for second in range(1, len(of) - 1):
                vertices.extend((of[0], of[second], of[second + 1]))
                uv.extend((at[0], at[second], at[second + 1]) if mapped else ())
        elif key == "usemtl":
            used = " ".join(words)
        elif key == "mtllib":
            for library in libraries(path.parent, line.split(maxsplit=1)[1]):
                materials |= _materials(path.parent, library)
    xyz, uvs = np.array(places).reshape(-1, 3), np.array(coordinates).reshape(-1, 2)
    own = np.array(colours).reshape(-1, 3) if len(colours) == len(places) else None  # some vertices' would be none's
    for (name, _), (vertices, uv) in corners.items():
        yield _part(materials.get(name, _Material()), xyz, own, uvs, np.array(vertices), np.array(uv))


def _part(
    material: _Material,
    places: NDArray[np.float64],
    own: NDArray[np.float64] | None,
    coordinates: NDArray[np.float64],
    corners: NDArray[np.int64],
    at: NDArray[np.int64],
) -> Part:
    """The part of triangles whose corners (3 F,) are vertices `at` (3 F, or none) texture coordinates."""
    if own is None and material.colour is None and material.texture is None:
        own = np.broadcast_to(GREY, places.shape)
    texture = material.texture if len(at) else None
    key = corners if texture is None else corners * (at.max() + 1) + at
    _, first, faces = np.unique(key, return_index=True, return_inverse=True)
    of, faces = corners[first], faces.reshape(-1, 3)
    own = None if own is None else own[of]
    if texture is None:
        return Part(places[of], faces, shades(own, material.colour))
    uv = coordinates[at[first]]
    for option, combine in (("s", np.multiply), ("o", np.add)):
        numbers = material.options.get(option, [])[:2]
        uv[:, : len(numbers)] = combine(uv[:, : len(numbers)], numbers)
    return Part(places[of], faces, shades(own, None), uv, texture)


def _number(text: str, count: int) -> int:
    """The index from 0 that a number from 1 means, or a negative one, back from the last of `count` so far."""
    number = int(text)
    index = number - 1 if number > 0 else count + number
    if index < 0:
        raise ValueError("a face names a vertex that is not there")
    return index


def _materials(folder: Path, name: str) -> dict[str, _Material]:
    """The materials of an MTL file by name."""
    found: dict[str, _Material] = {}
    material = _Material()
    for line in plain(named_bytes(folder, name)).split("\n"):
        key, *words = line.split(maxsplit=1) or [""]
        key = key.lower()
        if key == "newmtl":
            material = found[" ".join(line.split()[1:])] = _Material()
        elif key == "kd" and words:
            material.colour = np.array([float(number) for number in words[0].split()])
        elif key == "map_kd" and words:
            image, material.options = texture_line(words[0])
            material.texture = named_picture(folder, image)
    return found
