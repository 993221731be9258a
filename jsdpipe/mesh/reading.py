"""Any mesh's file as a `Surface`: glTF, OBJ, PLY and STL, in parts, with their materials.

Trimesh reads the files. A point's colour is the product of what its file has of these: the material's colour
(`baseColorFactor`, `Kd`), the vertices' or faces' own, and the material's texture (`baseColorTexture`, `map_Kd`), each
as stored; without any it is trimesh's grey. Left out are alpha, lights, everything else of a material, transforms of
textures, and second sets of texture coordinates.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from trimesh.exchange.obj import load_obj
from trimesh.resolvers import FilePathResolver
from trimesh.visual import DEFAULT_COLOR, ColorVisuals
from trimesh.visual.material import PBRMaterial

from jsdpipe.errors import first_line, printable
from jsdpipe.mesh.axes import SUFFIXES, Front, Up, to_world, up_of
from jsdpipe.mesh.parts import Part, joined
from jsdpipe.mesh.surface import Surface

MOST_FACES = 20_000_000  # some 3 GB to render
LARGEST = 1e15  # of a coordinate: its square is far from single precision's end
PICTURES = Image.registered_extensions()
FLAT = 1e-6  # of the largest coordinate: a smaller mesh is one point in single precision


class BadMesh(Exception):
    """A file holds no mesh that can be scored; the text, one line, says which file and why."""


def read(path: Path, up: Up | None = None, front: Front | None = None) -> Surface:
    """Read a mesh's file into world axes; `up` and `front` are those of the file, `None` those of its kind.

    Vertices that no face uses are dropped, those equal in place, colour and texture coordinates become one: T3Bench
    centres a mesh by the mean of its vertices as trimesh reads them, and files of several kinds then mean the same.
    Raises `BadMesh` for a file that is missing, broken or lacks a file that it names, for one without triangles, with
    more than `MOST_FACES`, or with coordinates that are not finite or beyond `LARGEST`, and for one without area.
    """
    suffix = path.suffix.lower()
    try:
        parts = list(_parts(path, suffix))
        if sum(len(part.faces) for part in parts) > MOST_FACES:
            raise BadMesh(f"more than {MOST_FACES:,} faces")
        surface = joined([part for part in parts if len(part.faces)])
        _check(surface)
    except BadMesh as error:
        raise BadMesh(printable(f"{path}: {error}")) from None
    return surface.at(surface.vertices @ to_world(up or up_of(suffix), front).T)


def _parts(path: Path, suffix: str) -> Iterator[Part]:
    if suffix not in SUFFIXES:
        raise BadMesh(f"no kind of mesh that is known; there are {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise BadMesh("no such file")
    files = _Files(path)
    try:
        with path.open("rb") as stream:
            if suffix == ".obj":
                yield from _parts_of_obj(stream, files)
            else:
                scene = trimesh.load_scene(stream, file_type=suffix[1:], resolver=files, process=False)
                for node in scene.graph.nodes_geometry:
                    transform, name = scene.graph[node]
                    mesh = scene.geometry[name]
                    if isinstance(mesh, trimesh.Trimesh):  # and not lines or points
                        vertices = trimesh.transform_points(mesh.vertices, transform)
                        yield _part(vertices, mesh.faces, mesh.visual, None)
    except Exception as error:  # a broken file makes the readers of meshes and images raise errors of any kind
        if not files.missing:
            raise BadMesh(f"cannot be read ({first_line(error)})") from None
    if files.missing:
        raise BadMesh(f"names {files.missing[0]}, which cannot be read")


class _Files(FilePathResolver):
    """The files that a mesh's file names; those that cannot be read are noted, because trimesh goes on without them."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), allow_anywhere=True)
        self.missing: list[str] = []

    def get(self, name: str) -> bytes:
        try:
            found: bytes = super().get(name)
            if Path(name).suffix.lower() in PICTURES:
                Image.open(BytesIO(found)).load()
        except Exception:
            self.missing.append(name)
            raise
        return found


def _parts_of_obj(stream: Any, files: _Files) -> Iterator[Part]:
    # Not as a scene, which drops the vertices' colours where there is a material.
    for mesh in load_obj(stream, resolver=files).get("geometry", {}).values():
        yield _part(mesh["vertices"], mesh["faces"], mesh["visual"], mesh.get("vertex_colors"))


def _part(vertices: NDArray[Any], faces: NDArray[Any], visual: Any, own: NDArray[Any] | None) -> Part:
    """A part from trimesh's `visual`, of any kind or None, and the vertices' `own` colours."""
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64).reshape(-1, 3)
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise ValueError("a face names a vertex that is not there")
    factor, image, uv = np.full(3, 255, np.uint8), None, None
    if isinstance(visual, ColorVisuals):
        if visual.kind == "face":  # corners of their own
            own = np.repeat(np.asarray(visual.face_colors), 3, axis=0)
            vertices, faces = vertices[faces].reshape(-1, 3), np.arange(3 * len(faces)).reshape(-1, 3)
        elif visual.kind == "vertex":
            own = np.asarray(visual.vertex_colors)
    elif visual is not None:
        material, uv = visual.material, visual.uv
        own = visual.vertex_attributes.get("color", own)
        if isinstance(material, PBRMaterial):
            image, stated = material.baseColorTexture, material.baseColorFactor
        else:
            # Trimesh's own grey stands for a colour that is not stated.
            image, stated = material.image, material.diffuse if "kd" in material.kwargs else None
            own = DEFAULT_COLOR[None] if own is None and stated is None and image is None else own
        factor = factor if stated is None else _bytes(stated[None])[0]
    if visual is None or isinstance(visual, ColorVisuals):
        own = DEFAULT_COLOR[None] if own is None else own
    colours = factor[None] if own is None else (_bytes(own) / 255 * factor).round().astype(np.uint8)
    if image is None or uv is None:
        return Part(vertices, faces, colours, None, None)
    return Part(vertices, faces, colours, np.nan_to_num(uv[:, :2]), np.asarray(image.convert("RGB")))


def _bytes(colours: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours (N, 3 or 4), as floats in [0, 1] or unsigned integers, as uint8 (N, 3)."""
    of = np.asarray(colours)[:, :3]
    shares = np.nan_to_num(of) if of.dtype.kind == "f" else of / np.iinfo(of.dtype).max
    return (shares.clip(0, 1) * 255).round().astype(np.uint8)


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
    if extent <= FLAT * largest:
        raise BadMesh("no extent: all vertices are (nearly) the same")
    a, b, c = (vertices[surface.faces[:, corner]] / extent for corner in range(3))
    if np.linalg.norm(np.cross(b - a, c - a), axis=1).max() <= FLAT**2:
        raise BadMesh("no area: every triangle is a line or a point")
