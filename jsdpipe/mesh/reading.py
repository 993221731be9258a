"""Read any mesh file as a `Surface`: glTF, OBJ, PLY and STL, with materials.

A point's color is the product, in linear light, of what its file has of these: the material's color
(`baseColorFactor`, or `Kd` without a `map_Kd`), the vertices' or faces' own colors, and the material's texture
(`baseColorTexture`, `map_Kd`). glTF's numbers are linear light; other formats' numbers and all images are sRGB. Without
any color it is grey. Alpha counts only in a glTF's alpha mask. Lights and all other properties of materials are
ignored; docs/meshes.md lists everything.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.axes import SUFFIXES, Front, Up, VertexColors, to_world, up_of
from jsdpipe.base.errors import printable
from jsdpipe.mesh.readers import gltf, obj, ply, stl
from jsdpipe.mesh.readers.base import BadMesh, Notes, Part
from jsdpipe.mesh.surface import Surface, Texture

__all__ = ["BadMesh", "check", "read"]

MOST_FACES = 20_000_000  # they take some 3 GB to render
LARGEST = 1e15  # of a coordinate; its square is far below single precision's maximum
FLAT = 1e-6  # of a mesh's extent; anything thinner vanishes in single precision
READERS: dict[str, tuple[str, Callable[..., Iterator[Part]]]] = {  # with the name that errors give the format
    ".glb": ("a GLB file", gltf.parts),
    ".gltf": ("a glTF file", gltf.parts),
    ".obj": ("an OBJ file", obj.parts),
    ".ply": ("a PLY file", ply.parts),
    ".stl": ("an STL file", stl.parts),
}


def read(
    path: Path,
    up: Up | None = None,
    front: Front | None = None,
    require_materials: bool = False,
    vertex_colors: VertexColors = "auto",
) -> Surface:
    """Read a mesh file into world axes.

    Unused vertices are dropped, and vertices with equal position, color and texture coordinates are merged: T3Bench
    centers a mesh by the mean of its vertices, as trimesh reads them, and this makes the mean the same in all formats.

    Args:
        up: the file's upward axis; by default its format's.
        front: the axis that the mesh faces; by default its format's.
        require_materials: refuse a file whose material or image is missing. Otherwise that is a note, and the
            surface gets the other colors that the file has, or grey.
        vertex_colors: how glTF's vertex colors are stored, as linear light (glTF's definition) or as sRGB (by some
            programs). "auto" decides by the program's name. A note says what was assumed.

    Raises:
        BadMesh: if the file is missing or broken, lacks a file that its shape needs, or requires an unsupported
            extension; if it has no triangles, more than `MOST_FACES`, or no area; if coordinates are not finite or
            beyond `LARGEST`.
    """
    suffix, notes = path.suffix.lower(), Notes(require_materials)
    try:
        surface = _join(_parts(path, suffix, notes, vertex_colors))
        check(surface)
    except BadMesh as error:
        raise BadMesh(printable(f"{path}: {error}")) from None
    return replace(surface, vertices=surface.vertices @ to_world(up or up_of(suffix), front).T, notes=tuple(notes))


def _parts(path: Path, suffix: str, notes: Notes, vertex_colors: VertexColors) -> list[Part]:
    if suffix not in READERS:
        raise BadMesh(f"no kind of mesh that is known; there are {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise BadMesh("no such file")
    kind, parts = READERS[suffix]
    try:
        found = parts(path, notes, vertex_colors) if parts is gltf.parts else parts(path, notes)
        kept, faces = [], 0
        for part in found:
            kept += [part] if len(part.faces) else []
            faces += len(part.faces)
            if faces > MOST_FACES:
                raise BadMesh(f"more than {MOST_FACES:,} faces")
        return kept
    except BadMesh:
        raise
    except OSError as error:
        raise BadMesh(f"cannot be read ({error.strerror})") from None
    except Exception:  # the readers raise errors of many kinds for broken files
        raise BadMesh(f"not {kind}, or a damaged one") from None


def _join(parts: Sequence[Part]) -> Surface:
    """Join parts into one surface, without duplicate textures and vertices or unused vertices."""
    textures: dict[tuple[Any, ...], int] = {}
    face_texture, images = [np.empty(0, np.int32)], list[Texture]()
    for part in parts:
        index = -1
        if (texture := part.texture) is not None:
            key = texture.pixels.shape, texture.pixels.tobytes(), texture.wrap, texture.cutoff
            index = textures.setdefault(key, len(textures))
            images += [texture] if index == len(images) else []
        face_texture.append(np.full(len(part.faces), index, np.int32))
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=False)]
    rows = np.zeros(int(starts[-1]), [("place", np.float64, 3), ("color", np.uint8, 3), ("uv", np.float32, 2)])
    for part, start in zip(parts, starts, strict=False):
        block = rows[start : start + len(part.vertices)]
        block["place"] = part.vertices + 0.0  # turns -0 into 0
        block["color"] = part.colors
        if part.uv is not None:
            block["uv"] = np.nan_to_num(part.uv, nan=0, posinf=0, neginf=0) + 0.0
    kept, corners = _merge_vertices(rows, np.concatenate([np.empty((0, 3), np.int64), *faces]))
    return Surface(kept["place"], corners, kept["color"], kept["uv"], np.concatenate(face_texture), tuple(images))


def _merge_vertices(rows: NDArray[Any], faces: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Keep the first of equal rows, in order, and only rows that faces use; returns them and the new faces (F, 3)."""
    used, corners = np.unique(faces, return_inverse=True)
    raw = np.ascontiguousarray(rows[used]).view(f"V{rows.itemsize}")
    _, first, which = np.unique(raw, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(first), np.int64)
    place[order] = np.arange(len(first))
    return rows[used[first[order]]], place[which[corners]].reshape(-1, 3)


def check(surface: Surface) -> None:
    """Raise `BadMesh` if a surface cannot be centered, scaled and rendered."""
    vertices = surface.vertices
    if not len(surface.faces):
        raise BadMesh("no triangles")
    if not np.isfinite(vertices).all():
        raise BadMesh("a coordinate is not finite")
    largest = float(np.abs(vertices).max())
    if largest > LARGEST:
        raise BadMesh(f"a coordinate of {largest:.3g} is beyond {LARGEST:g}")
    extent = float(np.ptp(vertices, axis=0).max())
    step = float(np.spacing(largest))  # between neighboring floating-point coordinates
    if step >= FLAT * extent:
        raise BadMesh("no extent: all vertices are (nearly) the same")
    a, b, c = (vertices[surface.faces[:, corner]] for corner in range(3))
    areas = np.linalg.norm(np.cross((b - a) / extent, (c - a) / extent), axis=1)
    if areas.max() <= max(FLAT**2, 4 * step / extent):  # rounding gives a line about this area
        raise BadMesh("no area: every triangle is a line or a point")
