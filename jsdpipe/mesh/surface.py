"""Triangles with colors: the common form of all meshes."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

Wrap = Literal["repeat", "clamp", "mirror"]


@dataclass(frozen=True, eq=False)
class Texture:
    """An image, sampled bilinearly.

    Args:
        pixels: (H, W, 3) sRGB, or (H, W, 4) if there is a `cutoff`; row 0 is the top.
        wrap: what lies beyond [0, 1] along u and v.
        cutoff: the surface is cut away where alpha, in [0, 1], is below it.
    """

    pixels: NDArray[np.uint8]
    wrap: tuple[Wrap, Wrap] = ("repeat", "repeat")
    cutoff: float = 0.0


@dataclass(frozen=True)
class Surface:
    """A triangle mesh in world axes, colored on both sides.

    A point's color is the interpolated vertex color, times the face's texture at the interpolated uv. Vertex colors
    are interpolated as stored, in sRGB, and multiplied with the texture in linear light.

    Args:
        vertices: (V, 3).
        faces: (F, 3), indices into `vertices`.
        colors: of the vertices, (V, 3), sRGB.
        uv: of the vertices, (V, 2), v upwards.
        texture: of the faces, (F,), an index into `textures`, or -1 for none.
        notes: sentences on how the file was read and what the surface lacks of it.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    colors: NDArray[np.uint8]
    uv: NDArray[np.float32]
    texture: NDArray[np.int32]
    textures: tuple[Texture, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def colored(cls, vertices: NDArray[np.floating], faces: NDArray[np.integer], colors: NDArray[np.integer]) -> Self:
        """A surface with vertex colors (V, 3) and no textures."""
        return cls(
            vertices.astype(np.float64),
            faces.astype(np.int64),
            colors.astype(np.uint8),
            np.zeros((len(vertices), 2), np.float32),
            np.full(len(faces), -1, np.int32),
        )

    @property
    def tinted(self) -> bool:
        """Whether any textured face has vertex colors other than white, so that the two must be multiplied."""
        return bool((self.colors[self.faces[self.texture >= 0]] != 255).any())

    def at(self, vertices: NDArray[np.float64]) -> Self:
        """The same surface with its vertices at other places."""
        return replace(self, vertices=vertices)
