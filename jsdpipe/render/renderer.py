"""Render surfaces with flat colors, without light, both sides visible, on black.

Two libraries stand behind one interface and give the same images.
"""

import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import reduce
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.surface import Surface
from jsdpipe.render.rigs import Cameras

Kind = Literal["embree", "moderngl"]


class Renderer(Protocol):
    """A surface prepared for rendering."""

    def render(self, camera_to_world: NDArray[np.float64], fovy: float, size: int) -> NDArray[np.uint8]:
        """Render an image (size, size, 3), row 0 the top, one sample per pixel center, black where nothing is hit.

        Args:
            camera_to_world: a pose (4, 4) in OpenGL's convention.
            fovy: the vertical field of view in radians.
        """


def open_renderer(surface: Surface, kind: Kind, solid: bool = False) -> AbstractContextManager[Renderer]:
    """Prepare a surface for rendering with one of the libraries; resources are released at the end of the context.

    Args:
        kind: the module of this package that does it.
        solid: promises a closed surface oriented outwards, as isosurfaces are, whose back faces need not be drawn for
            cameras outside.

    Raises:
        UserError: OpenGL is not available, or a texture is too large for it.
    """
    # by name, so that a picture depends on its own renderer alone
    module = importlib.import_module(f"jsdpipe.render.{kind}")
    renderer: AbstractContextManager[Renderer] = module.prepare(surface, solid)
    return renderer


def render_views(renderer: Renderer, cameras: Cameras, size: int, supersample: int = 1) -> Iterator[NDArray[np.uint8]]:
    """Yield each camera's image (size, size, 3), averaged over supersample^2 samples per pixel."""
    for pose, fovy in zip(cameras.camera_to_world.double().numpy(), cameras.fovy.tolist(), strict=True):
        rgb = renderer.render(pose, fovy, size * supersample)
        if supersample > 1:
            offsets = np.ndindex(supersample, supersample)  # sums in uint16 cannot overflow: 64 samples at most
            sums = reduce(np.add, (rgb[i::supersample, j::supersample].astype(np.uint16) for i, j in offsets))
            rgb = (sums / np.float32(supersample**2)).round().astype(np.uint8)
        yield rgb
