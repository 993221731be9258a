"""Small files as other programs write them, made by hand after public reports, with what they mean."""

from pathlib import Path

import numpy as np
import pytest

from jsdpipe.mesh.reading import read
from jsdpipe.mesh.shading import bilinear

CASES = Path(__file__).parent / "cases"
RED, BLUE = [255, 0, 0], [0, 0, 255]


def box(name, color):
    """The least and the greatest coordinates, in the file's own axes, of what has a color."""
    surface = read(CASES / name, up="z", front="x")
    of_it = surface.vertices[(surface.colors == color).all(axis=1)]
    return np.round([of_it.min(axis=0), of_it.max(axis=0)], 6).tolist()


@pytest.mark.parametrize(
    ("name", "color", "lowest", "highest"),
    [
        # the armature's node is turned by -90 degrees about x, and the pillar stands
        ("skin_armature_rotated.glb", RED, [-0.2, 0, -0.2], [0.2, 2, 0.2]),
        ("morph_weight1.glb", RED, [-0.5, -0.5, -0.5], [0.5, 3.5, 0.5]),
        ("instancing_optional.glb", RED, [-2.5, -0.5, -0.5], [2.5, 0.5, 0.5]),
        ("prim_without_position.glb", RED, [-0.5] * 3, [0.5] * 3),
        ("factor_linear.glb", [188, 124, 63], [-0.5] * 3, [0.5] * 3),  # of (0.5, 0.2, 0.05) in linear light
        ("emissive_only.glb", [0, 0, 0], [-0.5] * 3, [0.5] * 3),
    ],
)
def test_places_and_colors(name, color, lowest, highest):
    assert box(name, color) == [lowest, highest]


def test_a_mask_leaves_what_is_green():
    surface = read(CASES / "alpha_mask.glb")
    (texture,) = surface.textures
    assert (texture.pixels[texture.pixels[..., 3] >= 128][:, :3] == (0, 200, 0)).all() and texture.cutoff == 0.5
    assert 0.2 < (texture.pixels[..., 3] >= 128).mean() < 0.8


def test_a_picture_of_16_bits_is_grey():
    (texture,) = read(CASES / "tex_16bit_grey.glb").textures
    assert (texture.pixels == 128).all()


def test_a_mirrored_texture_is_red_blue_blue_red():
    """Along u, from 0 to 2, in the middles of its halves' halves."""
    surface = read(CASES / "sampler_mirror.glb", up="z", front="x")
    (texture,) = surface.textures
    assert np.ptp(surface.uv[:, 0]) == 2
    seen = bilinear(texture, np.array([0.25, 0.75, 1.25, 1.75]), np.full(4, 0.25))
    assert seen.tolist() == [RED, BLUE, BLUE, RED]


def test_light_is_left_out_with_a_note():
    (note,) = read(CASES / "emissive_only.glb").notes
    assert "light" in note
