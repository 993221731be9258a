"""Points on meshes: as many as faces have area, in their colors, none where an alpha mask cuts."""

import numpy as np
import pytest

from jsdpipe.mesh.reading import BadMesh
from jsdpipe.mesh.samples import sample
from jsdpipe.mesh.surface import Surface, Texture

COUNT = 4000
# a square of side 2 in xy, and beside it a triangle of a quarter of its area
VERTICES = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0], [3, 0, 0], [5, 0, 0], [3, 1, 0]], float)
FACES = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6]])
COLORS = np.array([[255, 0, 0]] * 4 + [[0, 255, 0]] * 3)


def test_area_and_color():
    places, colors = sample(Surface.colored(VERTICES, FACES, COLORS), COUNT, np.random.default_rng(0))
    assert places.shape == colors.shape == (COUNT, 3)
    beside = places[:, 0] > 2.5
    assert beside.mean() == pytest.approx(0.2, abs=4 * 0.4 / COUNT**0.5)
    np.testing.assert_allclose(colors, np.where(beside[:, None], [0, 1, 0], [1, 0, 0]), atol=1e-6)
    square = places[~beside]
    np.testing.assert_allclose(square.mean(axis=0), [1, 1, 0], atol=0.06)
    np.testing.assert_allclose(square.var(axis=0), [1 / 3, 1 / 3, 0], atol=0.03)
    np.testing.assert_allclose(places[beside].mean(axis=0), VERTICES[4:].mean(axis=0), atol=0.06)


def textured(alpha):
    """The square, whose texture is blue on the left and white on the right, of alpha (left, right)."""
    blue, white = [0, 0, 255], [255, 255, 255]
    pixels = np.array([[[*blue, alpha[0]]] * 8 + [[*white, alpha[1]]] * 8], np.uint8)
    uv = (VERTICES[:4, :2] / 2).astype(np.float32)
    texture = Texture(pixels, ("clamp", "clamp"), cutoff=0.5)
    return Surface(VERTICES[:4], FACES[:2], np.full((4, 3), 255, np.uint8), uv, np.zeros(2, np.int32), (texture,))


def test_texture_and_alpha_mask():
    places, colors = sample(textured((255, 255)), COUNT, np.random.default_rng(0))
    left, right = places[:, 0] < 0.9, places[:, 0] > 1.1
    np.testing.assert_allclose(colors[left], np.tile([0, 0, 1], (left.sum(), 1)), atol=1e-6)
    np.testing.assert_allclose(colors[right], 1, atol=1e-6)
    places, _ = sample(textured((255, 0)), COUNT, np.random.default_rng(0))
    assert len(places) == COUNT and places[:, 0].max() < 1.1
    with pytest.raises(BadMesh):
        sample(textured((0, 0)), COUNT, np.random.default_rng(0))
