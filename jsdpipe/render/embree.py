"""Render on the CPU by ray casting (embreex), which pip installs everywhere."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from jsdpipe.mesh.shading import Shading
from jsdpipe.mesh.surface import Surface

BEHIND = 2e-5  # how far behind a cut-away point a ray continues: a hundred times the rounding of lengths about 1


class EmbreeRenderer:
    """Casts one ray per pixel."""

    def __init__(self, surface: Surface) -> None:
        self._scene = EmbreeScene(robust=True)  # without it rays slip through between neighboring triangles
        vertices, faces = surface.vertices.astype(np.float32), surface.faces.astype(np.int32)
        TriangleMesh(scene=self._scene, vertices=vertices, indices=faces)
        self._shading = Shading(surface)

    def render(self, camera_to_world: NDArray[np.float64], fovy: float, size: int) -> NDArray[np.uint8]:
        pose = camera_to_world.astype(np.float32)
        steps = (np.tan(fovy / 2) * ((np.arange(size) + 0.5) / size * 2 - 1)).astype(np.float32)
        right, up, back = pose[:3, :3].T
        directions = (steps[:, None] * right - steps[:, None, None] * up - back).reshape(-1, 3)
        hit = self._scene.run(np.broadcast_to(pose[:3, 3], directions.shape), directions, output=True)
        if self._shading.masked:
            self._pass_cut_away(hit, pose[:3, 3], directions)
        seen = np.flatnonzero(hit["primID"] >= 0)
        face, u, v = (hit[key][seen] for key in ("primID", "u", "v"))
        rgb = np.zeros((size * size, 3), np.uint8)
        rgb[seen] = self._shading.colors(face, np.stack((1 - u - v, u, v))).round().clip(0, 255).T
        return rgb.reshape(size, size, 3)

    def _pass_cut_away(self, hit: dict[str, Any], origin: NDArray[np.float32], directions: NDArray[np.float32]) -> None:
        """Replace hits (N,) of cut-away points by what is behind them."""
        rays = np.arange(len(directions))
        while len(rays := rays[self._shading.is_cut(hit["primID"][rays], hit["u"][rays], hit["v"][rays])]):
            reached = hit["tfar"][rays] + np.float32(BEHIND)
            behind = self._scene.run(origin + reached[:, None] * directions[rays], directions[rays], output=True)
            behind["tfar"] = behind["tfar"] + reached
            for key in ("primID", "u", "v", "tfar"):
                hit[key][rays] = behind[key]


def prepare(surface: Surface, solid: bool) -> AbstractContextManager[EmbreeRenderer]:
    """Prepare a surface for rendering; to rays a solid one makes no difference."""
    return nullcontext(EmbreeRenderer(surface))
