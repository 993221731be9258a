"""Triangles with colours: what every mesh is once it has been read, whatever its file was like."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Surface:
    """Vertices (V, 3) in world axes, faces (F, 3), and the colour of every point of them.

    A point's colour is `colours` (V, 3) uint8, interpolated over the triangle, times the texture of its face at its
    interpolated `uv` (V, 2): bilinear, repeated beyond [0, 1], v upwards. `texture` (F,) is the index among `textures`
    (H, W, 3) uint8 of each face, -1 for none. Colours are as stored (sRGB), and seen from both sides. `notes` are plain
    sentences on what the surface lacks of the file that it was read from.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    colours: NDArray[np.uint8]
    uv: NDArray[np.float32]
    texture: NDArray[np.int32]
    textures: tuple[NDArray[np.uint8], ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def coloured(cls, vertices: NDArray[np.floating], faces: NDArray[np.integer], colours: NDArray[np.integer]) -> Self:
        """A surface of vertex colours alone."""
        return cls(
            vertices.astype(np.float64),
            faces.astype(np.int64),
            colours.astype(np.uint8),
            np.zeros((len(vertices), 2), np.float32),
            np.full(len(faces), -1, np.int32),
        )

    def at(self, vertices: NDArray[np.float64]) -> Self:
        """The surface with its vertices moved."""
        return replace(self, vertices=vertices)
