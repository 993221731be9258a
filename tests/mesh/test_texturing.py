"""Baked textures: the field's colors at any point of the surface, in GLB and in OBJ."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor

from jsdpipe.mesh import glb, obj
from jsdpipe.mesh.isosurface import extract, sample_colors
from jsdpipe.mesh.reading import read
from jsdpipe.mesh.texturing import bake_texture

TEXELS = 256


@dataclass
class Waves:
    """A ball in waves of color."""

    bound: float = 1.0

    def density(self, points: Tensor) -> Tensor:
        return (1 - points.norm(dim=-1)).clamp(min=0)

    def albedo(self, points: Tensor) -> Tensor:
        return 0.5 + 0.5 * (4 * points).sin()


def sampled(surface, count=5000):
    """Random points of a surface, and their colors (N, 3) by its texture: bilinear, v upwards."""
    draw = np.random.default_rng(0)
    corners = surface.faces[draw.integers(0, len(surface.faces), count)]
    weights = draw.dirichlet((1, 1, 1), count)[..., None]
    points = (weights * surface.vertices[corners]).sum(axis=1)
    u, v = (weights * surface.uv[corners]).sum(axis=1).T
    texture = surface.textures[0].pixels
    height, width, _ = texture.shape
    at = np.stack([(1 - v) * height - 0.5, u * width - 0.5])
    channels = [map_coordinates(texture[..., c].astype(float), at, order=1, mode="nearest") for c in range(3)]
    return points, np.stack(channels, axis=1)


@pytest.fixture(scope="module")
def baked():
    field = Waves()
    plain, _ = extract(field, 24, 0.5)
    return plain, bake_texture(plain, lambda points: sample_colors(field, points), TEXELS)


@pytest.mark.parametrize("name", [None, "mesh.glb", "mesh.obj"])
def test_a_point_s_color_is_the_field_s(baked, tmp_path, name):
    """Also at the seams, and where vertex colors, interpolated over the triangle, are far off."""
    plain, surface = baked
    if name:
        (glb if name.endswith("glb") else obj).save(surface, tmp_path / name)
        surface = read(tmp_path / name)
    points, found = sampled(surface)
    expected = 255 * Waves().albedo(torch.from_numpy(points)).numpy()
    assert np.abs(found - expected).max() < 12  # a texel's width of the steepest wave
    assert np.abs(found - expected).mean() < 1
    assert len(surface.faces) == len(plain.faces)
    assert surface.textures[0].pixels.shape == (TEXELS, TEXELS, 3)
    assert (surface.colors == 255).all()


def test_the_shape_is_the_same_and_so_are_the_bytes_of_another_time(baked, tmp_path):
    plain, surface = baked
    np.testing.assert_allclose(
        np.sort(surface.vertices[surface.faces].sum(axis=(1, 2))), np.sort(plain.vertices[plain.faces].sum(axis=(1, 2)))
    )
    field = Waves()
    again = bake_texture(plain, lambda points: sample_colors(field, points), TEXELS)
    for module, name in ((glb, "mesh.glb"), (obj, "mesh.obj")):
        for folder, of in (("a", surface), ("b", again)):
            (tmp_path / folder).mkdir(exist_ok=True)
            module.save(of, tmp_path / folder / name)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["mesh-1.png", "mesh.glb", "mesh.mtl", "mesh.obj"]
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)


def test_an_obj_of_vertex_colors_is_one_file_that_is_read_back(baked, tmp_path):
    plain, _ = baked
    obj.save(plain, tmp_path / "mesh.obj")
    back = read(tmp_path / "mesh.obj")
    assert obj.files(tmp_path / "mesh.obj") == [tmp_path / "mesh.obj"]
    np.testing.assert_allclose(back.vertices[back.faces], plain.vertices[plain.faces], rtol=1e-7)
    np.testing.assert_array_equal(back.colors[back.faces], plain.colors[plain.faces])
