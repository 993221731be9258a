"""Divide edges of a surface, which keeps its shape and colors, so that a damage may be finer than its triangles."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.surface import Surface

# a face's pieces by the number of its divided edges; its corners are 0 to 2, and 3 to 5 are on the edges after them
# if one edge is divided, it is that after 0; if two are, those after 0 and 1
PIECES = {
    0: [(0, 1, 2)],
    1: [(0, 3, 2), (3, 1, 2)],
    2: [(3, 1, 4), (0, 3, 4), (0, 4, 2)],
    3: [(0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)],
}


def refined(surface: Surface, longest: float) -> Surface:
    """The surface with edges halved until none is longer than `longest`; neighboring faces still share their edges."""
    while True:
        edges, of_faces = _edges(surface.faces)
        start, end = surface.vertices[edges].transpose(1, 0, 2)
        long = np.linalg.norm(end - start, axis=1) > longest
        if not long.any():
            return surface
        surface = _divided(surface, edges, of_faces, np.where(long, 0.5, np.nan))


def beyond(surface: Surface, x: float) -> Surface:
    """The part of a surface beyond the plane at `x`, cut exactly at the plane; it may have no faces."""
    edges, of_faces = _edges(surface.faces)
    start, end = (surface.vertices[:, 0] - x)[edges].T
    crossing = start * end < 0
    places = np.full(len(edges), np.nan)
    places[crossing] = start[crossing] / (start - end)[crossing]
    divided = _divided(surface, edges, of_faces, places)
    divided.vertices[len(surface.vertices) :, 0] = x
    return kept(divided, (divided.vertices[divided.faces, 0] - x).sum(axis=1) > 0)


def kept(surface: Surface, which: NDArray[np.bool_]) -> Surface:
    """The surface with only some of its faces (F,), and the vertices that they use."""
    used, corners = np.unique(surface.faces[which], return_inverse=True)
    return replace(
        surface,
        vertices=surface.vertices[used],
        faces=corners.reshape(-1, 3),
        colors=surface.colors[used],
        uv=surface.uv[used],
        texture=surface.texture[which],
    )


def _edges(faces: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The vertices (E, 2) at the ends of all edges, and the edges (F, 3) from each corner of a face to the next."""
    pairs = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=-1).reshape(-1, 2)
    numbers = pairs[:, 0] * (faces.max(initial=0) + 1) + pairs[:, 1]
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    return pairs[first], which.reshape(-1, 3)


def _divided(
    surface: Surface, edges: NDArray[np.int64], of_faces: NDArray[np.int64], places: NDArray[np.float64]
) -> Surface:
    """Divide edges at `places` (E,), shares of the way from their start; NaN if they stay whole."""
    divided = np.flatnonzero(~np.isnan(places))
    start, end = edges[divided].T
    share = places[divided, None]

    def with_new(values: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
        return np.concatenate([values, (1 - share) * values[start] + share * values[end]])

    number = np.full(len(edges), -1)
    number[divided] = len(surface.vertices) + np.arange(len(divided))
    middle = number[of_faces]
    whole, count = middle < 0, (middle >= 0).sum(axis=1)
    # a face begins at its only divided edge, or after its only whole one
    first = np.where(count == 1, np.argmin(whole, axis=1), np.argmax(whole, axis=1) + 1)
    turn = (first[:, None] + np.arange(3)) % 3
    corners = np.concatenate([np.take_along_axis(of, turn, axis=1) for of in (surface.faces, middle)], axis=1)
    pieces = [(np.flatnonzero(count == number), piece) for number, of in PIECES.items() for piece in of]
    return replace(
        surface,
        vertices=with_new(surface.vertices),
        faces=np.concatenate([corners[faces][:, piece] for faces, piece in pieces]),
        colors=with_new(surface.colors).round().astype(np.uint8),
        uv=with_new(surface.uv).astype(np.float32),
        texture=np.concatenate([surface.texture[faces] for faces, _ in pieces]),
    )
