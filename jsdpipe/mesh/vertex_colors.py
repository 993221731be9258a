"""Colors of textures as colors of vertices."""

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.reading import BadMesh
from jsdpipe.mesh.refinement import kept, refined
from jsdpipe.mesh.shading import bilinear
from jsdpipe.mesh.srgb import multiply
from jsdpipe.mesh.surface import Surface

FINEST = 1 / 128  # of a mesh's extent: edges that hold the detail of a view


def extent(surface: Surface) -> float:
    """The diagonal of the bounding box."""
    return float(np.linalg.norm(np.ptp(surface.vertices, axis=0)))


def untextured(surface: Surface) -> Surface:
    """The surface with its textures' colors at its vertices; long edges are divided first, to hold them.

    Faces whose center an alpha mask cuts away are left out. Raises `BadMesh` if none is left.
    """
    if not surface.textures:
        return surface
    surface = refined(surface, FINEST * extent(surface))
    surface = kept(surface, ~_cut_away(surface))
    if not len(surface.faces):
        raise BadMesh("its textures cut all of it away")
    places, colors = surface.vertices[surface.faces], surface.colors[surface.faces].astype(np.float64)
    for index, texture in enumerate(surface.textures):
        here = surface.texture == index
        u, v = surface.uv[surface.faces[here]].reshape(-1, 2).T
        texels = bilinear(texture, u, v)[:, :3].reshape(-1, 3, 3)
        colors[here] = 255 * multiply(colors[here] / 255, texels / 255)
    rows = np.concatenate([places, colors.round()], axis=2).reshape(-1, 6)
    rows, corners = np.unique(rows, axis=0, return_inverse=True)
    return Surface.colored(rows[:, :3], corners.reshape(-1, 3), rows[:, 3:].astype(np.uint8))


def _cut_away(surface: Surface) -> NDArray[np.bool_]:
    """Whether an alpha mask cuts a face's (F,) center away."""
    cut = np.zeros(len(surface.faces), bool)
    for index, texture in enumerate(surface.textures):
        if texture.cutoff > 0:
            here = surface.texture == index
            u, v = surface.uv[surface.faces[here]].mean(axis=1).T
            cut[here] = bilinear(texture, u, v)[:, 3] < 255 * texture.cutoff
    return cut
