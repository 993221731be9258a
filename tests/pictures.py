"""Surfaces of a test's own, and all pictures of one at once."""

import numpy as np
import pytest
import torch
import trimesh

from jsdpipe.base.errors import UserError
from jsdpipe.mesh.surface import Surface
from jsdpipe.render.moderngl import context
from jsdpipe.render.renderer import open_renderer, render_views
from jsdpipe.render.rigs import Cameras


def painted(mesh: trimesh.Trimesh, colors=(255, 255, 255)) -> Surface:
    """A mesh in one color, or in one for each vertex."""
    return Surface.colored(mesh.vertices, mesh.faces, np.broadcast_to(colors, mesh.vertices.shape))


def solid(surface: Surface) -> trimesh.Trimesh:
    """A surface's shape with trimesh's measures."""
    return trimesh.Trimesh(surface.vertices, surface.faces, process=False)


def views(surface: Surface, cameras: Cameras, size: int, supersample=1, kind="embree", solid=False) -> list[np.ndarray]:
    with open_renderer(surface, kind, solid) as renderer:
        return list(render_views(renderer, cameras, size, supersample))


def render(surface, camera_to_world, fovy, size, supersample=1, kind="embree") -> tuple[np.ndarray, np.ndarray]:
    """The pictures (N, size, size, 3), and where they are not black (N, size, size)."""
    seen = np.stack(views(surface, Cameras(camera_to_world, torch.as_tensor(fovy)), size, supersample, kind))
    return seen, seen.any(axis=-1)


def need(kind: str) -> str:
    """The kind of renderer, or a skipped test where it cannot start."""
    if kind == "moderngl":
        try:
            with context():
                pass
        except UserError as error:
            pytest.skip(str(error))
    return kind
