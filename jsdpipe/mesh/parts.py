"""The parts of a mesh's file, joined into one `Surface`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.readers.files import BadMesh
from jsdpipe.mesh.surface import Surface

GREY = np.array([102, 102, 102], np.uint8)  # trimesh's, of what has no colour


@dataclass(frozen=True)
class Part:
    """Vertices (V, 3), faces (F, 3), uint8 colours (V or 1, 3), and perhaps a texture (H, W, 3) and its uv (V, 2)."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    colours: NDArray[np.uint8]
    uv: NDArray[np.floating] | None = None
    texture: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """`BadMesh` if a face names a vertex that is not there."""
        if len(self.faces) and not 0 <= self.faces.min() <= self.faces.max() < len(self.vertices):
            raise BadMesh("a face names a vertex that is not there")


def fans(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Polygons of equally many corners (F, N) as triangles (F * (N - 2), 3), each a fan around its first corner."""
    columns = [(0, at, at + 1) for at in range(1, corners.shape[1] - 1)]
    return corners[:, np.array(columns, np.int64).reshape(-1, 3)].reshape(-1, 3)


def shades(own: NDArray[Any] | None, factor: NDArray[Any] | None) -> NDArray[np.uint8]:
    """Vertices' own colours (N, 3 or 4) times a material's (3 or 4): uint8 (N or 1, 3); where there is none, white.

    Both are floats in [0, 1] or unsigned integers.
    """
    white = np.full((1, 3), 255, np.uint8)
    colours, of_material = (white if of is None else _bytes(np.atleast_2d(of)) for of in (own, factor))
    return (colours / 255 * of_material).round().astype(np.uint8)


def _bytes(colours: NDArray[Any]) -> NDArray[np.uint8]:
    of = colours[:, :3]
    shares = np.nan_to_num(of) if of.dtype.kind == "f" else of / np.iinfo(of.dtype).max
    return (shares.clip(0, 1) * 255).round().astype(np.uint8)


def joined(parts: Sequence[Part]) -> Surface:
    """All parts as one surface, equal textures once, its vertices those that faces use, each once."""
    textures: dict[tuple[Any, ...], int] = {}
    of_face, images = [np.empty(0, np.int32)], list[NDArray[np.uint8]]()
    for part in parts:
        index = -1
        if part.texture is not None:
            index = textures.setdefault((part.texture.shape, part.texture.tobytes()), len(textures))
            images += [part.texture] if index == len(images) else []
        of_face.append(np.full(len(part.faces), index, np.int32))
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=False)]
    rows = np.zeros(int(starts[-1]), [("place", np.float64, 3), ("colour", np.uint8, 3), ("uv", np.float32, 2)])
    for part, start in zip(parts, starts, strict=False):
        of_part = rows[start : start + len(part.vertices)]
        of_part["place"] = part.vertices + 0.0  # -0 is 0
        of_part["colour"] = part.colours
        if part.uv is not None:
            of_part["uv"] = np.nan_to_num(part.uv, nan=0, posinf=0, neginf=0) + 0.0
    kept, corners = _each_once(rows, np.concatenate([np.empty((0, 3), np.int64), *faces]))
    return Surface(kept["place"], corners, kept["colour"], kept["uv"], np.concatenate(of_face), tuple(images))


def _each_once(rows: NDArray[Any], faces: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The rows that faces use, equal ones once, in the order of the first of them, and the faces of these."""
    used, corners = np.unique(faces, return_inverse=True)
    raw = np.ascontiguousarray(rows[used]).view(f"V{rows.itemsize}")
    _, first, which = np.unique(raw, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(first), np.int64)
    place[order] = np.arange(len(first))
    return rows[used[first[order]]], place[which[corners]].reshape(-1, 3)
