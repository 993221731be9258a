"""The colors of a surface at points of its faces, and where its alpha masks cut it away."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.srgb import multiply
from jsdpipe.mesh.surface import Surface, Texture, Wrap


class Shading:
    """A surface prepared for looking up its colors."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        faces = surface.faces.astype(np.int32)
        self._colors = _planes(surface.colors, faces)
        self._uv = _planes(surface.uv, faces)
        self._tinted = surface.tinted
        cutoffs = np.array([*(texture.cutoff for texture in surface.textures), 0.0])  # the last for -1, no texture
        self._masked = (cutoffs > 0)[surface.texture] if cutoffs.any() else None

    @property
    def masked(self) -> bool:
        """Whether alpha masks may cut any of it away."""
        return self._masked is not None

    def is_cut(self, face: NDArray[np.int32], u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether an alpha mask cuts the surface away (N,) at places of faces (N,), -1 for none."""
        cut = np.zeros(len(face), bool)
        if self._masked is None:
            return cut
        masked = np.flatnonzero((face >= 0) & self._masked[face])
        texture, weights = self._surface.texture[face[masked]], np.stack((1 - u - v, u, v))
        for index in np.unique(texture):
            here, of = masked[texture == index], self._surface.textures[index]
            alpha = bilinear(replace(of, pixels=of.pixels[..., 3:]), *_blend(self._uv, face[here], weights[:, here]))
            cut[here] = alpha[:, 0] < 255 * of.cutoff
        return cut

    def colors(self, face: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Colors (3, N), 0 to 255, at barycentric weights (3, N) of faces (N,)."""
        colors = _blend(self._colors, face, weights)
        texture = self._surface.texture[face]
        for index, image in enumerate(self._surface.textures):
            here = np.flatnonzero(texture == index)
            u, v = _blend(self._uv, face[here], weights[:, here])
            texels = bilinear(image, u, v)[:, :3].T
            colors[:, here] = 255 * multiply(colors[:, here] / 255, texels / 255) if self._tinted else texels
        return colors


def _planes(values: NDArray[Any], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """Spread vertices' values (V, C) to faces' corners (C, 3, F); NumPy is fast along long rows."""
    return np.ascontiguousarray(values.astype(np.float32)[faces].transpose(2, 1, 0))


def _blend(corners: NDArray[np.float32], face: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolate the values of faces' corners (C, 3, F) on faces (N,) with weights (3, N); returns (C, N)."""
    blended = [sum(w * corner.take(face) for w, corner in zip(weights, channel, strict=True)) for channel in corners]
    return np.stack(blended)


def bilinear(texture: Texture, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sample a texture (N, C) at u and v (N,), v upwards, as OpenGL's linear filter does."""
    image = texture.pixels
    height, width = image.shape[:2]
    x, y = u * width - 0.5, (1 - v) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    columns = [_within(left.astype(np.int64) + step, width, texture.wrap[0]) for step in (0, 1)]
    rows = [_within(top.astype(np.int64) + step, height, texture.wrap[1]) for step in (0, 1)]
    x, y = (x - left)[:, None], (y - top)[:, None]
    upper, lower = ((1 - x) * image[row, columns[0]] + x * image[row, columns[1]] for row in rows)
    return (1 - y) * upper + y * lower


def _within(index: NDArray[np.int64], size: int, wrap: Wrap) -> NDArray[np.int64]:
    """Wrap texel indices beyond a side of the image."""
    if wrap == "clamp":
        return index.clip(0, size - 1)
    if wrap == "mirror":
        index = index % (2 * size)
        return np.minimum(index, 2 * size - 1 - index)
    return index % size
