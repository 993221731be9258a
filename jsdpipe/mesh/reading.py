"""Any mesh's file as a `Surface`: glTF, OBJ, PLY and STL, in parts, with their materials.

A point's colour is the product of what its file has of these: the material's colour (`baseColorFactor`, `Kd` without a
`map_Kd`), the vertices' or faces' own, and the material's texture (`baseColorTexture`, `map_Kd`), multiplied as light.
Numbers of glTF are light, others' and all pictures sRGB; without any colour it is trimesh's grey. Alpha counts where a
glTF's mask cuts by it. Left out are lights and everything else of a material; docs/meshes.md has it all.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from jsdpipe.base.errors import printable
from jsdpipe.config.axes import SUFFIXES, Front, Up, VertexColors, to_world, up_of
from jsdpipe.mesh.parts import Part, joined
from jsdpipe.mesh.readers import gltf, obj, ply, stl
from jsdpipe.mesh.readers.files import BadMesh, Notes
from jsdpipe.mesh.surface import Surface

__all__ = ["BadMesh", "read"]

MOST_FACES = 20_000_000  # some 3 GB to render
LARGEST = 1e15  # of a coordinate: its square is far from single precision's end
FLAT = 1e-6  # of a mesh's extent: what is thinner is nothing in single precision
READERS: dict[str, tuple[str, Callable[..., Iterator[Part]]]] = {  # and what errors call their files
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
    whole: bool = False,
    vertex_colors: VertexColors = "auto",
) -> Surface:
    """Read a mesh's file into world axes; `up` and `front` are those of the file, `None` those of its kind.

    `vertex_colors` says what glTF's are: linear light, as glTF has them, or sRGB, as some programs store them. "auto"
    tells by the program's name; a note of the surface says which was taken.

    A material or picture that the file names and that is missing is a note of the surface, or, if the mesh must be
    `whole`, a `BadMesh`; what it would have coloured has what other colours the file gives it, or else the grey.

    Vertices that no face uses are dropped, those equal in place, colour and texture coordinates become one: T3Bench
    centres a mesh by the mean of its vertices as trimesh reads them, and files of several kinds then mean the same.
    Raises `BadMesh` for a file that is missing, broken or lacks a file of its shape, for one that needs what is not
    read, for one without triangles, with more than `MOST_FACES`, or with coordinates that are not finite or beyond
    `LARGEST`, and for one without area.
    """
    suffix, notes = path.suffix.lower(), Notes(whole)
    try:
        surface = joined(_parts(path, suffix, notes, vertex_colors))
        _check(surface)
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
    except Exception:  # a broken file makes the readers raise errors of any kind
        raise BadMesh(f"not {kind}, or a damaged one") from None


def _check(surface: Surface) -> None:
    """Raise `BadMesh` if a surface cannot be placed before a camera."""
    vertices = surface.vertices
    if not len(surface.faces):
        raise BadMesh("no triangles")
    if not np.isfinite(vertices).all():
        raise BadMesh("a coordinate is not finite")
    largest = float(np.abs(vertices).max())
    if largest > LARGEST:
        raise BadMesh(f"a coordinate of {largest:.3g} is beyond {LARGEST:g}")
    extent = float(np.ptp(vertices, axis=0).max())
    step = float(np.spacing(largest))  # between neighbouring coordinates
    if step >= FLAT * extent:
        raise BadMesh("no extent: all vertices are (nearly) the same")
    a, b, c = (vertices[surface.faces[:, corner]] for corner in range(3))
    areas = np.linalg.norm(np.cross((b - a) / extent, (c - a) / extent), axis=1)
    if areas.max() <= max(FLAT**2, 4 * step / extent):  # by which rounding may bend a line
        raise BadMesh("no area: every triangle is a line or a point")
