"""Surfaces by ray casting on the CPU (embreex): needs nothing but pip."""

from typing import Any

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from jsdpipe.mesh.renderers import Samples, tinted
from jsdpipe.mesh.srgb import times
from jsdpipe.mesh.surface import Surface


class EmbreeRenderer:
    """One ray a pixel; the rays' directions have length 1 along the camera's axis, so that Embree measures depth."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self._scene = EmbreeScene(robust=True)  # without it rays slip through between neighbouring triangles
        vertices, faces = surface.vertices.astype(np.float32), surface.faces.astype(np.int32)
        TriangleMesh(scene=self._scene, vertices=vertices, indices=faces)
        self._colours = _planes(surface.colours, faces)
        self._uv = _planes(surface.uv, faces)
        self._tinted = tinted(surface)

    def look(self, camera_to_world: NDArray[np.float64], fovy: float, size: int, geometry: bool) -> Samples:
        pose = camera_to_world.astype(np.float32)
        steps = (np.tan(fovy / 2) * ((np.arange(size) + 0.5) / size * 2 - 1)).astype(np.float32)
        right, up, back = pose[:3, :3].T
        directions = (steps[:, None] * right - steps[:, None, None] * up - back).reshape(-1, 3)
        hit = self._scene.run(np.broadcast_to(pose[:3, 3], directions.shape), directions, output=True)
        seen = np.flatnonzero(hit["primID"] >= 0)
        face, u, v = (hit[key][seen] for key in ("primID", "u", "v"))
        rgb = np.zeros((size * size, 3), np.uint8)
        rgb[seen] = self._shade(face, np.stack((1 - u - v, u, v))).round().clip(0, 255).T
        picture, face = rgb.reshape(size, size, 3), hit["primID"].reshape(size, size)
        return Samples(picture, face >= 0, face, hit["tfar"].reshape(size, size)) if geometry else Samples(picture)

    def _shade(self, face: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Colours (3, N), 0 to 255, at barycentric weights (3, N) of faces (N,)."""
        colours = _blend(self._colours, face, weights)
        texture = self.surface.texture[face]
        for index, image in enumerate(self.surface.textures):
            here = np.flatnonzero(texture == index)
            u, v = _blend(self._uv, face[here], weights[:, here])
            texels = bilinear(image, u, v).T
            colours[:, here] = 255 * times(colours[:, here] / 255, texels / 255) if self._tinted else texels
        return colours


def _planes(values: NDArray[Any], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """Vertices' values (V, C) as those of faces' corners (C, 3, F): NumPy is fast along long rows."""
    return np.ascontiguousarray(values.astype(np.float32)[faces].transpose(2, 1, 0))


def _blend(corners: NDArray[np.float32], face: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values (C, N) of faces (N,), from those of their corners (C, 3, F) weighted by (3, N)."""
    blended = [sum(w * corner.take(face) for w, corner in zip(weights, channel, strict=True)) for channel in corners]
    return np.stack(blended)


def bilinear(image: NDArray[np.uint8], u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (N, 3) of a texture (H, W, 3) at u and v (N,), as OpenGL's linear filter: repeated, v upwards."""
    height, width = image.shape[:2]
    x, y = u * width - 0.5, (1 - v) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    columns = [left.astype(np.int64) % width, (left.astype(np.int64) + 1) % width]
    rows = [top.astype(np.int64) % height, (top.astype(np.int64) + 1) % height]
    x, y = (x - left)[:, None], (y - top)[:, None]
    upper, lower = ((1 - x) * image[row, columns[0]] + x * image[row, columns[1]] for row in rows)
    return (1 - y) * upper + y * lower
