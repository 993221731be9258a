"""OBJ files and their MTL: polygons of any size, materials, textures, and vertex colors (`v x y z r g b`)."""

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import shown
from jsdpipe.base.mesh_references import found, libraries, plain, texture_line
from jsdpipe.mesh.readers.base import CLIPPED, GREY, SEE_THROUGH, BadMesh, Notes, Part, base_colors, unit_colors
from jsdpipe.mesh.readers.referenced import read_bytes, read_texture
from jsdpipe.mesh.surface import Texture

NAMED = 3  # missing materials that a note names


@dataclass
class _Material:
    """`Kd`, `map_Kd` with the scale and offset of its texture coordinates, and whether a note is due."""

    color: NDArray[np.float64] | None = None
    image: str | None = None
    options: dict[str, list[float]] = field(default_factory=dict)
    emits: bool = False
    see_through: bool = False


def parts(path: Path, notes: Notes) -> Iterator[Part]:
    """Read a part per material, separately for faces with and without texture coordinates; polygons become fans."""
    places, colors, coordinates = array("d"), array("d"), array("d")
    # by material and whether there are texture coordinates: the indices of each corner's vertex and coordinates
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
                colors.extend(map(float, words[3:6] if len(words) >= 6 else ()))
            elif key == "vt":
                coordinates.extend(map(float, [*words, "0"][:2]))
            elif key == "f":
                polygon = [word.split("/") for word in words]
                of = [_index(corner[0], len(places) // 3) for corner in polygon]
                at = [_index(corner[1], len(coordinates) // 2) for corner in polygon if len(corner) > 1 and corner[1]]
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
    if len(colors) == len(places):  # otherwise we could not tell which vertices have colors
        own = unit_colors(np.array(colors).reshape(-1, 3), notes)
    undefined = {name: None for name, _ in corners if name not in {"", *materials}}
    _note_missing(missing, list(undefined), notes)
    for (name, _), (vertices, uv) in corners.items():
        material, of_corners, of_uv = materials.get(name, _Material()), np.array(vertices), np.array(uv)
        texture = read_texture(path.parent, material.image, notes) if material.image and len(of_uv) else None
        if material.see_through:
            notes.add(SEE_THROUGH)
        if material.color is not None and texture is None and material.color.max() > 1:
            notes.add(CLIPPED)
        if material.emits:
            notes.add("has materials that emit light, which is left out")
        if of_corners.max(initial=-1) >= len(xyz) or (texture is not None and of_uv.max() >= len(uvs)):
            raise BadMesh("a face names a vertex that is not there")
        yield _part(material, texture, xyz, own, uvs, of_corners, of_uv)


def _note_missing(files: list[str], materials: list[str], notes: Notes) -> None:
    """Note the MTL files that are not there, and the materials that faces use but no file defines."""
    gaps = [f"names {name}, which is not there" for name in files]
    if materials:
        more = f" and {len(materials) - NAMED} more" if materials[NAMED:] else ""
        gaps.append(f"uses materials that nothing defines: {', '.join(materials[:NAMED])}{more}")
        notes.add_missing(", and ".join(gaps))
    elif gaps:
        notes.add(", and ".join(gaps))


def _part(
    material: _Material,
    texture: Texture | None,
    places: NDArray[np.float64],
    own: NDArray[np.float64] | None,
    coordinates: NDArray[np.float64],
    corners: NDArray[np.int64],
    at: NDArray[np.int64],
) -> Part:
    """Build the part of F triangles.

    Args:
        places: all vertices (V, 3).
        own: their colors (V, 3), if they have any.
        coordinates: all texture coordinates (C, 2).
        corners: indices into `places` (3 F,).
        at: indices into `coordinates` (3 F,), or (0,).
    """
    if own is None and material.color is None and texture is None:
        own = np.broadcast_to(GREY, places.shape)
    key = corners if texture is None else corners * (at.max() + 1) + at
    _, first, faces = np.unique(key, return_index=True, return_inverse=True)
    of, faces = corners[first], faces.reshape(-1, 3)
    own = None if own is None else own[of]
    if texture is None:
        return Part(places[of], faces, base_colors(own, material.color))
    uv = coordinates[at[first]]
    for option, combine in (("s", np.multiply), ("o", np.add)):
        numbers = material.options.get(option, [])[:2]
        uv[:, : len(numbers)] = combine(uv[:, : len(numbers)], numbers)
    return Part(places[of], faces, base_colors(own, None), uv, texture)


def _index(text: str, count: int) -> int:
    """Turn OBJ's index, from 1 or counted back from the last of `count` so far (-1), into one from 0."""
    number = int(text)
    index = number - 1 if number > 0 else count + number
    if index < 0:
        raise BadMesh("a face names a vertex that is not there")
    return index


def _materials(folder: Path, name: str, notes: Notes) -> dict[str, _Material]:
    """Read an MTL file's materials, by name."""
    materials: dict[str, _Material] = {}
    material = _Material()
    for line in plain(read_bytes(folder, name, notes)).split("\n"):
        key, *words = line.split(maxsplit=1) or [""]
        key = key.lower()
        if key == "newmtl":
            material = materials[" ".join(line.split()[1:])] = _Material()
        elif key == "map_kd" and words:
            material.image, material.options = texture_line(words[0])
        elif words:
            try:
                _set(material, key, words[0].split())
            except ValueError:
                if key == "kd":
                    raise BadMesh(f"names {name}, whose line {shown(line)} is not as MTL has it") from None
    return materials


def _set(material: _Material, key: str, words: list[str]) -> None:
    """Set what an MTL line says of a material; ValueError if a number is missing or broken."""
    match key:
        case "kd":
            material.color = np.broadcast_to([float(word) for word in words[:3]], 3)
        case "ke":
            material.emits |= any(float(word) > 0 for word in words[:3])
        case "map_ke":
            material.emits = True
        case "d":
            material.see_through |= float(words[-1]) < 1  # the number may follow an option, -halo
        case "tr":
            material.see_through |= 0 < float(words[-1]) < 1  # old files write 1 for opaque
        case "map_d":
            material.see_through = True
