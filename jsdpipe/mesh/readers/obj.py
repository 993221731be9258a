"""OBJ files and their MTL: polygons of any size, materials, textures, and vertex colours (`v x y z r g b`)."""

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import shown
from jsdpipe.mesh.parts import GREY, Part, shades
from jsdpipe.mesh.readers.colours import SEE_THROUGH, TAKEN_AS_1, shares
from jsdpipe.mesh.readers.files import BadMesh, Notes, named_bytes, named_texture
from jsdpipe.mesh.surface import Texture
from jsdpipe.pipeline.mesh_references import found, libraries, plain, texture_line

NAMED = 3  # missing materials that a note names


@dataclass
class _Material:
    """`Kd`, and `map_Kd` with the scale and offset of its texture coordinates; and what of it is left out."""

    colour: NDArray[np.float64] | None = None
    image: str | None = None
    options: dict[str, list[float]] = field(default_factory=dict)
    emits: bool = False
    see_through: bool = False


def parts(path: Path, notes: Notes) -> Iterator[Part]:
    """A part a material, and one of its faces that lack texture coordinates; polygons become fans of triangles."""
    places, colours, coordinates = array("d"), array("d"), array("d")
    # of a material, with texture coordinates or without: of each corner, its vertex's and its coordinates' number
    corners: dict[tuple[str, bool], tuple[array[int], array[int]]] = defaultdict(lambda: (array("q"), array("q")))
    materials: dict[str, _Material] = {}
    missing: list[str] = []
    used = line = ""
    try:
        for line in plain(path.read_bytes()).split("\n"):
            key, *words = line.split() or [""]
            if key == "v":
                x, y, z = map(float, words[:3])
                places.extend((x, y, z))
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
            elif key == "mtllib" and words:
                for library in libraries(path.parent, line.split(maxsplit=1)[1]):
                    missing += [library] if found(path.parent, library) is None else []
                    materials |= _materials(path.parent, library, notes) if library not in missing else {}
    except (ValueError, OverflowError):
        raise BadMesh(f"its line {shown(line)} is not as OBJ has it") from None
    xyz, uvs = np.array(places).reshape(-1, 3), np.array(coordinates).reshape(-1, 2)
    own = None
    if len(colours) == len(places):  # or some would be other vertices'
        own = shares(np.array(colours).reshape(-1, 3), notes)
    undefined = {name: None for name, _ in corners if name not in {"", *materials}}
    _say_what_is_missing(missing, list(undefined), notes)
    for (name, _), (vertices, uv) in corners.items():
        material, of_corners, of_uv = materials.get(name, _Material()), np.array(vertices), np.array(uv)
        texture = named_texture(path.parent, material.image, notes) if material.image and len(of_uv) else None
        if material.see_through:
            notes.say(SEE_THROUGH)
        if material.colour is not None and texture is None and material.colour.max() > 1:
            notes.say(TAKEN_AS_1)
        if material.emits:
            notes.say("has materials that emit light, which is left out")
        if of_corners.max(initial=-1) >= len(xyz) or (texture is not None and of_uv.max() >= len(uvs)):
            raise BadMesh("a face names a vertex that is not there")
        yield _part(material, texture, xyz, own, uvs, of_corners, of_uv)


def _say_what_is_missing(files: list[str], materials: list[str], notes: Notes) -> None:
    """Note the MTL files that are not there, and lose the materials that faces use and that nothing defines."""
    gaps = [f"names {name}, which is not there" for name in files]
    if materials:
        more = f" and {len(materials) - NAMED} more" if materials[NAMED:] else ""
        gaps.append(f"uses materials that nothing defines: {', '.join(materials[:NAMED])}{more}")
        notes.lose(", and ".join(gaps))
    elif gaps:
        notes.say(", and ".join(gaps))


def _part(
    material: _Material,
    texture: Texture | None,
    places: NDArray[np.float64],
    own: NDArray[np.float64] | None,
    coordinates: NDArray[np.float64],
    corners: NDArray[np.int64],
    at: NDArray[np.int64],
) -> Part:
    """The part of triangles whose corners (3 F,) are vertices `at` (3 F, or none) texture coordinates."""
    if own is None and material.colour is None and texture is None:
        own = np.broadcast_to(GREY, places.shape)
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
        raise BadMesh("a face names a vertex that is not there")
    return index


def _materials(folder: Path, name: str, notes: Notes) -> dict[str, _Material]:
    """The materials of an MTL file by name."""
    materials: dict[str, _Material] = {}
    material = _Material()
    for line in plain(named_bytes(folder, name, notes)).split("\n"):
        key, *words = line.split(maxsplit=1) or [""]
        key = key.lower()
        if key == "newmtl":
            material = materials[" ".join(line.split()[1:])] = _Material()
        elif key == "map_kd" and words:
            material.image, material.options = texture_line(words[0])
        elif words:
            try:
                _take(material, key, words[0].split())
            except ValueError:
                if key == "kd":
                    raise BadMesh(f"names {name}, whose line {shown(line)} is not as MTL has it") from None
    return materials


def _take(material: _Material, key: str, words: list[str]) -> None:
    """What an MTL's line of numbers says of a material; ValueError if it has none."""
    match key:
        case "kd":
            material.colour = np.broadcast_to([float(word) for word in words[:3]], 3)
        case "ke":
            material.emits |= any(float(word) > 0 for word in words[:3])
        case "map_ke":
            material.emits = True
        case "d":
            material.see_through |= float(words[-1]) < 1  # behind -halo, perhaps
        case "tr":
            material.see_through |= 0 < float(words[-1]) < 1  # 1 is opaque in old files
        case "map_d":
            material.see_through = True
