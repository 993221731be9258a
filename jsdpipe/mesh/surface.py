"""Triangles with colours: what every mesh is once it has been read, whatever its file was like."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

Wrap = Literal["repeat", "clamp", "mirror"]


@dataclass(frozen=True, eq=False)
class Texture:
    """A picture on a surface: `pixels` (H, W, 3) uint8 sRGB, or (H, W, 4), row 0 the top; bilinear.

    `wrap` says, along u and v, what is beyond [0, 1]. Where the alpha is below a `cutoff`, the surface is not there;
    without a cutoff there is no alpha.
    """

    pixels: NDArray[np.uint8]
    wrap: tuple[Wrap, Wrap] = ("repeat", "repeat")
    cutoff: float = 0.0


@dataclass(frozen=True)
class Surface:
    """Vertices (V, 3) in world axes, faces (F, 3), and the colour of every point of them.

    A point's colour is `colours` (V, 3) uint8, interpolated over the triangle, times the texture of its face at its
    interpolated `uv` (V, 2), v upwards. `texture` (F,) is the index among `textures` of each face, -1 for none. Colours
    are sRGB, interpolated as stored, multiplied as light, and seen from both sides. `notes` are plain sentences on how
    the file that the surface was read from was taken, and on what the surface lacks of it.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    colours: NDArray[np.uint8]
    uv: NDArray[np.float32]
    texture: NDArray[np.int32]
    textures: tuple[Texture, ...] = ()
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
