"""Render on the CPU by ray casting (embreex), which pip installs everywhere."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from jsdpipe.mesh.sampling import bilinear
from jsdpipe.mesh.srgb import multiply
from jsdpipe.mesh.surface import Surface

BEHIND = 2e-5  # how far behind a cut-away point a ray continues: a hundred times the rounding of lengths about 1


class EmbreeRenderer:
    """Casts one ray per pixel."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._scene = EmbreeScene(robust=True)  # without it rays slip through between neighboring triangles
        vertices, faces = surface.vertices.astype(np.float32), surface.faces.astype(np.int32)
        TriangleMesh(scene=self._scene, vertices=vertices, indices=faces)
        self._colors = _planes(surface.colors, faces)
        self._uv = _planes(surface.uv, faces)
        self._tinted = surface.tinted
        cutoffs = np.array([*(texture.cutoff for texture in surface.textures), 0.0])  # the last for -1, no texture
        self._masked = (cutoffs > 0)[surface.texture] if cutoffs.any() else None

    def render(self, camera_to_world: NDArray[np.float64], fovy: float, size: int) -> NDArray[np.uint8]:
        pose = camera_to_world.astype(np.float32)
        steps = (np.tan(fovy / 2) * ((np.arange(size) + 0.5) / size * 2 - 1)).astype(np.float32)
        right, up, back = pose[:3, :3].T
        directions = (steps[:, None] * right - steps[:, None, None] * up - back).reshape(-1, 3)
        hit = self._scene.run(np.broadcast_to(pose[:3, 3], directions.shape), directions, output=True)
        if self._masked is not None:
            self._pass_cut_away(hit, pose[:3, 3], directions)
        seen = np.flatnonzero(hit["primID"] >= 0)
        face, u, v = (hit[key][seen] for key in ("primID", "u", "v"))
        rgb = np.zeros((size * size, 3), np.uint8)
        rgb[seen] = self._shade(face, np.stack((1 - u - v, u, v))).round().clip(0, 255).T
        return rgb.reshape(size, size, 3)

    def _pass_cut_away(self, hit: dict[str, Any], origin: NDArray[np.float32], directions: NDArray[np.float32]) -> None:
        """Replace hits (N,) of cut-away points by what is behind them."""
        rays = np.arange(len(directions))
        while len(rays := rays[self._is_cut(hit["primID"][rays], hit["u"][rays], hit["v"][rays])]):
            reached = hit["tfar"][rays] + np.float32(BEHIND)
            behind = self._scene.run(origin + reached[:, None] * directions[rays], directions[rays], output=True)
            behind["tfar"] = behind["tfar"] + reached
            for key in ("primID", "u", "v", "tfar"):
                hit[key][rays] = behind[key]

    def _is_cut(self, face: NDArray[np.int32], u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether an alpha mask cuts the surface away (N,) at hits of faces (N,), -1 for none."""
        assert self._masked is not None
        cut = np.zeros(len(face), bool)
        masked = np.flatnonzero((face >= 0) & self._masked[face])
        texture, weights = self._surface.texture[face[masked]], np.stack((1 - u - v, u, v))
        for index in np.unique(texture):
            here, of = masked[texture == index], self._surface.textures[index]
            alpha = bilinear(replace(of, pixels=of.pixels[..., 3:]), *_blend(self._uv, face[here], weights[:, here]))
            cut[here] = alpha[:, 0] < 255 * of.cutoff
        return cut

    def _shade(self, face: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Colors (3, N), 0 to 255, at barycentric weights (3, N) of faces (N,)."""
        colors = _blend(self._colors, face, weights)
        texture = self._surface.texture[face]
        for index, image in enumerate(self._surface.textures):
            here = np.flatnonzero(texture == index)
            u, v = _blend(self._uv, face[here], weights[:, here])
            texels = bilinear(image, u, v)[:, :3].T
            colors[:, here] = 255 * multiply(colors[:, here] / 255, texels / 255) if self._tinted else texels
        return colors


def prepare(surface: Surface, solid: bool) -> AbstractContextManager[EmbreeRenderer]:
    """Prepare a surface for rendering; to rays a solid one makes no difference."""
    return nullcontext(EmbreeRenderer(surface))


def _planes(values: NDArray[Any], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """Spread vertices' values (V, C) to faces' corners (C, 3, F); NumPy is fast along long rows."""
    return np.ascontiguousarray(values.astype(np.float32)[faces].transpose(2, 1, 0))


def _blend(corners: NDArray[np.float32], face: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolate the values of faces' corners (C, 3, F) on faces (N,) with weights (3, N); returns (C, N)."""
    blended = [sum(w * corner.take(face) for w, corner in zip(weights, channel, strict=True)) for channel in corners]
    return np.stack(blended)
