"""Surfaces of a test's own, and all pictures of one at once."""

import numpy as np
import pytest
import torch
import trimesh

from jsdpipe.base.errors import UserError
from jsdpipe.mesh.surface import Surface
from jsdpipe.render.opengl import context
from jsdpipe.render.renderers import opened
from jsdpipe.render.rigs import Cameras
from jsdpipe.render.supersampling import View, render_each


def painted(mesh: trimesh.Trimesh, colours=(255, 255, 255)) -> Surface:
    """A mesh in one colour, or in one for each vertex."""
    return Surface.colored(mesh.vertices, mesh.faces, np.broadcast_to(colours, mesh.vertices.shape))


def solid(surface: Surface) -> trimesh.Trimesh:
    """A surface's shape with trimesh's measures."""
    return trimesh.Trimesh(surface.vertices, surface.faces, process=False)


def views(
    surface: Surface, cameras: Cameras, size: int, supersample=1, geometry=False, kind="embree", solid=False
) -> list[View]:
    with opened(surface, kind, solid) as renderer:
        return list(render_each(renderer, cameras, size, supersample, geometry))


def render(surface, camera_to_world, fovy, size, supersample=1, kind="embree") -> tuple[np.ndarray, np.ndarray]:
    """The pictures (N, size, size, 3) and their coverage (N, size, size)."""
    seen = views(surface, Cameras(camera_to_world, torch.as_tensor(fovy)), size, supersample, True, kind)
    return np.stack([view.rgb for view in seen]), np.stack([view.coverage for view in seen])


def need(kind: str) -> str:
    """The kind of renderer, or a skipped test where it cannot start."""
    if kind == "moderngl":
        try:
            with context():
                pass
        except UserError as error:
            pytest.skip(str(error))
    return kind
