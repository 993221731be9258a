"""The color of a texture at a point."""

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.surface import Texture, Wrap


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
