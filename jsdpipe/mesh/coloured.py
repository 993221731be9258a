"""Trimesh's meshes with vertex colours and nothing else: vertices and faces stay as they are given."""

from typing import Any

import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray


def coloured(vertices: ArrayLike, faces: ArrayLike, colours: ArrayLike) -> trimesh.Trimesh:
    """A mesh of vertices (V, 3), faces (F, 3) and uint8 colours (V, 3)."""
    return trimesh.Trimesh(vertices, faces, vertex_colors=np.asarray(colours, np.uint8), process=False)


def colours_of(mesh: trimesh.Trimesh) -> NDArray[np.uint8]:
    """The vertices' colours (V, 3); trimesh's grey if it has none."""
    visual: Any = mesh.visual
    return np.asarray(visual.vertex_colors)[:, :3]
