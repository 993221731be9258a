"""What looks at surfaces: one interface, two libraries behind it, the same pictures.

Colours are flat, without light; both sides of a triangle are seen. A surface is made ready once and looked at often.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.surface import Surface

Kind = Literal["embree", "moderngl"]


@dataclass(frozen=True)
class Samples:
    """What a camera sees through the centre of each of its pixels (S, S), row 0 the top.

    `rgb` (S, S, 3) uint8, black where no surface is hit. If they were asked for: `hit`; and where it is true, `face`,
    the index of the triangle, and `depth`, the distance along the camera's axis in units of the world.
    """

    rgb: NDArray[np.uint8]
    hit: NDArray[np.bool_] | None = None
    face: NDArray[np.int32] | None = None
    depth: NDArray[np.float32] | None = None


class Renderer(Protocol):
    """A surface, ready to be looked at."""

    surface: Surface

    def look(self, camera_to_world: NDArray[np.float64], fovy: float, size: int, geometry: bool) -> Samples:
        """What a camera sees, of size x size pixels; `fovy` is vertical and in radians."""


def tinted(surface: Surface) -> bool:
    """Whether the colours of textured faces are other than white, so that they have to be multiplied."""
    return bool((surface.colors[surface.faces[surface.texture >= 0]] != 255).any())


@contextmanager
def opened(surface: Surface, kind: Kind, solid: bool = False) -> Iterator[Renderer]:
    """A surface made ready by one of the libraries, until the end of the context.

    `solid` promises that the surface bounds a solid, its triangles turned outwards, as isosurfaces are: no camera
    outside sees the back of any, so that they need not be drawn.
    """
    if kind == "embree":
        from jsdpipe.render.embree import EmbreeRenderer

        yield EmbreeRenderer(surface)
    else:
        from jsdpipe.render.opengl import GLRenderer, context

        with context() as gl:
            yield GLRenderer(surface, gl, solid)
