"""Surfaces by ray casting on the CPU (embreex): needs nothing but pip."""

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from jsdpipe.mesh.renderers import Samples
from jsdpipe.mesh.surface import Surface


class EmbreeRenderer:
    """One ray a pixel; the rays' directions have length 1 along the camera's axis, so that Embree measures depth."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self._scene = EmbreeScene(robust=True)  # without it rays slip through between neighbouring triangles
        vertices, faces = surface.vertices.astype(np.float32), surface.faces.astype(np.int32)
        TriangleMesh(scene=self._scene, vertices=vertices, indices=faces)
        self._colours = surface.colours.astype(np.float32)[faces]  # (F, 3 corners, 3)
        self._uv = surface.uv[faces]  # (F, 3 corners, 2)

    def look(self, camera_to_world: NDArray[np.float64], fovy: float, size: int, geometry: bool) -> Samples:
        pose = camera_to_world.astype(np.float32)
        steps = (np.tan(fovy / 2) * ((np.arange(size) + 0.5) / size * 2 - 1)).astype(np.float32)
        right, up, back = pose[:3, :3].T
        directions = (steps[:, None] * right - steps[:, None, None] * up - back).reshape(-1, 3)
        hit = self._scene.run(np.broadcast_to(pose[:3, 3], directions.shape), directions, output=True)
        seen = np.flatnonzero(hit["primID"] >= 0)
        face, u, v = (hit[key][seen] for key in ("primID", "u", "v"))
        rgb = np.zeros((size * size, 3), np.uint8)
        rgb[seen] = self._shade(face, np.stack((1 - u - v, u, v), axis=1)).round().clip(0, 255)
        return Samples(
            rgb.reshape(size, size, 3),
            hit["primID"].reshape(size, size) >= 0,
            hit["primID"].reshape(size, size) if geometry else None,
            hit["tfar"].reshape(size, size) if geometry else None,
        )

    def _shade(self, face: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Colours (N, 3), 0 to 255, at barycentric weights (N, 3) of faces (N,)."""
        colours = _blend(self._colours[face], weights)
        texture = self.surface.texture[face]
        for index, image in enumerate(self.surface.textures):
            here = np.flatnonzero(texture == index)
            colours[here] *= bilinear(image, _blend(self._uv[face[here]], weights[here])) / 255
        return colours


def _blend(corners: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Corners' values (N, 3, C) weighted by (N, 3)."""
    return weights[:, :1] * corners[:, 0] + weights[:, 1:2] * corners[:, 1] + weights[:, 2:] * corners[:, 2]


def bilinear(image: NDArray[np.uint8], uv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (N, 3) of a texture (H, W, 3) at uv (N, 2), as OpenGL's linear filter: repeated, v upwards."""
    height, width = image.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    columns = [left.astype(np.int64) % width, (left.astype(np.int64) + 1) % width]
    rows = [top.astype(np.int64) % height, (top.astype(np.int64) + 1) % height]
    x, y = (x - left)[:, None], (y - top)[:, None]
    upper, lower = ((1 - x) * image[row, columns[0]] + x * image[row, columns[1]] for row in rows)
    return (1 - y) * upper + y * lower
