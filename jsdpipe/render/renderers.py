"""What looks at surfaces: one interface, two libraries behind it, the same pictures.

Torch-free, because the workflow asks which file a configuration uses. Nothing is imported by name here, so that a
picture depends on its own renderer alone.
"""

import pkgutil
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from jsdpipe.mesh.surface import Surface
    from jsdpipe.render.renderer import Renderer

Kind = Literal["embree", "moderngl"]
# of each kind, what makes a surface ready
RENDERERS: dict[Kind, str] = {
    "embree": "jsdpipe.render.embree:opened",
    "moderngl": "jsdpipe.render.moderngl:opened",
}


def opened(surface: "Surface", kind: Kind, solid: bool = False) -> "AbstractContextManager[Renderer]":
    """A surface made ready by one of the libraries, until the end of the context.

    `solid` promises that the surface bounds a solid, its triangles turned outwards, as isosurfaces are: no camera
    outside sees the back of any, so that they need not be drawn.
    """
    ready: AbstractContextManager[Renderer] = pkgutil.resolve_name(RENDERERS[kind])(surface, solid)
    return ready
