"""Damages by values worked out by hand, on spheres, boxes and strips."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import trimesh
from trimesh.triangles import area

from jsdpipe.config.control import DOSES, Control
from jsdpipe.mesh import damages
from jsdpipe.mesh.diffusion import diffused
from jsdpipe.mesh.reading import BadMesh
from jsdpipe.mesh.refinement import beyond, refined
from jsdpipe.mesh.surface import Surface, Texture
from jsdpipe.mesh.topology import is_watertight, merged
from jsdpipe.mesh.vertex_colors import untextured

GREY = (120, 120, 120)


def of(mesh, color=GREY):
    return Surface.colored(mesh.vertices, mesh.faces, np.tile(np.array(color), (len(mesh.vertices), 1)))


def sphere(subdivisions=4):
    return of(trimesh.creation.icosphere(subdivisions))


def textured(*pixels, color=(255, 255, 255), width=1.0, cutoff=0.0):
    """A strip of unit length along x, in the plane z = 0, with a texture of one row."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    flat = Surface.colored(
        np.column_stack([corners * (1, width), np.zeros(4)]), np.array([[0, 1, 2], [0, 2, 3]]), np.tile(color, (4, 1))
    )
    image = Texture(np.array([pixels], np.uint8), ("clamp", "clamp"), cutoff)
    return replace(flat, uv=corners, texture=np.zeros(2, np.int32), textures=(image,))


def size(surface):
    return area(surface.vertices[surface.faces]).sum()


def test_every_control_of_a_mesh_has_its_damage():
    controls = get_args(Control.model_fields["control"].annotation)
    assert {*controls} == {"wrong-prompt", "left-out", "holes", *damages.WITHOUT_DOSE, *damages.WITH_DOSE}
    assert set(DOSES) == {"holes", *damages.WITH_DOSE} <= {*controls}


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_heat_on_a_sphere_decays_as_its_harmonics_do(degree):
    """The Laplacian of a harmonic is -l (l + 1) times it, and half the square of 0.4 is 0.08."""
    ball = sphere()
    harmonic = np.prod(ball.vertices[:, :degree], axis=1)
    (after,) = diffused(ball.vertices, ball.faces, harmonic[:, None], 0.4).T
    assert after @ harmonic / (harmonic @ harmonic) == pytest.approx(1 / (1 + 0.08 * degree * (degree + 1)), rel=2e-3)


def test_slivers_and_stray_faces_make_no_new_values():
    """A vertex in the middle of a side, off by nothing or next to nothing, and a face without area."""
    for off in (0.0, 1e-13, 1e-7):
        places = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, off, 0], [3, 3, 3]], float)
        faces = np.array([[0, 4, 3], [4, 1, 2], [4, 2, 3], [0, 1, 4], [5, 5, 5]])
        values = np.array([[1.0, 7], [0, 7], [1, 7], [0, 7], [1, 7], [0, 7]])
        after = diffused(places, faces, values, 0.5)
        assert after[:, 1] == pytest.approx(7)
        assert after[:, 0].min() > -1e-9 and after[:, 0].max() < 1 + 1e-9


def test_a_smoothed_sphere_shrinks_as_it_should():
    """Places are harmonics of degree 1; the box around a unit sphere has a diagonal of 2 sqrt(3)."""
    after = damages.smoothed(sphere(), 0.1)
    expected = 1 / (1 + (0.1 * 2 * np.sqrt(3)) ** 2)
    assert np.linalg.norm(after.vertices, axis=1) == pytest.approx(expected, rel=2e-3)
    assert set(map(tuple, after.colors)) == {GREY}


def test_the_edges_of_a_box_of_twelve_faces_get_round():
    """Unfolded at an edge, a coordinate is 1/2 - max(s, 0); the kernel exp(-|s| / r) / 2r makes it 1/2 - r/2 there."""
    box = of(trimesh.creation.box((1, 1, 3)))
    deviation = 0.05 * np.sqrt(11)
    before, after = refined(box, deviation), damages.smoothed(box, 0.05)
    assert is_watertight(merged(after))
    on_edge = (before.vertices[:, :2] == 0.5).all(axis=1) & (abs(before.vertices[:, 2]) < 0.5)
    expected = (1 - deviation / np.sqrt(2)) / 2
    assert on_edge.sum() > 3 and after.vertices[on_edge, :2] == pytest.approx(expected, abs=0.007)


def test_smoothing_keeps_textures():
    strip = textured(GREY)
    after = damages.smoothed(strip, 0.1)
    assert after.textures == strip.textures and (after.texture == 0).all()
    assert len(after.faces) == len(after.texture) > 2


def test_a_blurred_edge_has_the_tails_of_its_kernel():
    """One implicit step is a convolution with exp(-|x| / s) / 2s, whose deviation is sqrt(2) s."""
    strip = textured(*[(0, 0, 0)] * 128, *[(255, 255, 255)] * 128, width=0.2)
    after = damages.blurred(strip, 0.05)
    reach = 0.05 * np.hypot(1, 0.2) / np.sqrt(2)
    x = after.vertices[:, 0] - 0.5
    expected = np.where(x < 0, np.exp(-abs(x) / reach) / 2, 1 - np.exp(-abs(x) / reach) / 2)
    assert after.textures == ()
    assert after.colors[:, 1] / 255 == pytest.approx(expected, abs=0.02)
    assert size(after) == pytest.approx(0.2)


def test_a_color_where_faces_meet_is_their_mean_by_area():
    """Two triangles of areas 3/2 and 1/2 without common vertices; a blur of next to nothing."""
    places = np.array([[0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0], [-1, 0, 0]], float)
    colors = np.array([[200] * 3] * 3 + [[0] * 3] * 3)
    pair = Surface.colored(places, np.arange(6).reshape(2, 3), colors)
    after = damages.blurred(pair, 1e-9)
    shared = (after.vertices == (0, 0, 0)).all(axis=1)
    # the edges are divided down to 1/128 of the extent, so near the corner both sides have triangles of their own
    assert shared.sum() == 1 and 0 < after.colors[shared][0, 0] < 200
    assert after.colors[(after.vertices == (3, 0, 0)).all(axis=1)].tolist() == [[200] * 3]
    assert after.colors[(after.vertices == (-1, 0, 0)).all(axis=1)].tolist() == [[0] * 3]


def test_saturation_by_hand():
    """The luma of (200, 100, 100) is 0.2126 x 200 + 0.7874 x 100 = 121.26."""
    for dose, expected in ((-1, (121, 121, 121)), (-0.5, (161, 111, 111)), (0.5, (239, 89, 89)), (1, (255, 79, 79))):
        assert set(map(tuple, damages.saturated(sphere(0), dose).colors)) == {GREY}
        after = damages.saturated(of(trimesh.creation.box(), (200, 100, 100)), dose)
        assert set(map(tuple, after.colors)) == {expected}


@pytest.mark.parametrize(
    ("dose", "red", "brown"),
    [(120, (0, 255, 0), (20, 80, 40)), (-120, (0, 0, 255), (40, 20, 80)), (60, (255, 255, 0), (60, 80, 20))],
)
def test_hues_by_hand(dose, red, brown):
    """Brown, (80, 40, 20), has hue 20 degrees, and 80 degrees have green as their largest channel."""
    strip = textured((255, 0, 0, 9), (80, 40, 20, 200), (*GREY, 0))
    after = damages.hue_turned(strip, dose)
    assert after.textures[0].pixels.tolist() == [[[*red, 9], [*brown, 200], [*GREY, 0]]]
    assert (after.colors == 255).all()


def test_of_a_texture_times_a_color_the_product_changes():
    """Yellow times cyan is green, whose luma is 0.7152 x 255 = 182.4."""
    after = damages.saturated(textured((255, 255, 0), color=(0, 255, 255)), -1)
    assert after.textures == () and set(map(tuple, after.colors)) == {(182, 182, 182)}


def test_tilted_by_hand():
    ends = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    axes = Surface.colored(ends, np.array([[0, 1, 2]]), np.full((3, 3), 9))
    assert damages.tilted(axes, 90).vertices == pytest.approx(np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]))
    half = np.sqrt(3) / 2
    assert damages.tilted(axes, 30).vertices[2] == pytest.approx([0, -0.5, half])


@pytest.mark.parametrize("dose", [0.5, 0.9])
def test_decimation_leaves_a_share_of_the_faces_and_the_nearest_colors(dose):
    ball = sphere()
    blue = np.where(ball.vertices[:, :1] > 0, (10, 20, 250), (250, 20, 10)).astype(np.uint8)
    after = damages.decimated(replace(ball, colors=blue), dose)
    assert len(after.faces) == pytest.approx((1 - dose) * len(ball.faces), abs=2)
    assert np.linalg.norm(after.vertices, axis=1) == pytest.approx(1, abs=0.02)
    for side, color in ((1, (10, 20, 250)), (-1, (250, 20, 10))):
        there = after.colors[side * after.vertices[:, 0] > 0.15]
        assert len(there) > 10 and (there == color).all()


def test_decimation_never_leaves_nothing():
    assert len(damages.decimated(of(trimesh.creation.box()), 0.999).faces) >= 4


def test_decimation_takes_the_colors_of_a_texture():
    after = damages.decimated(textured((0, 200, 0)), 0.9)
    assert set(map(tuple, after.colors)) == {(0, 200, 0)} and size(after) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("dose", [0.1, 0.6, 0.95])
def test_holes_take_their_share_of_the_area(dose):
    ball, box = sphere(), of(trimesh.creation.box())
    for surface in (ball, box):
        after = damages.holes(surface, dose, "a")
        largest = area(after.vertices[after.faces]).max()
        assert 0 <= (1 - dose) - size(after) / size(surface) <= 1.5 * largest / size(surface)
        assert len(after.vertices) == after.faces.max() + 1


def centers(surface):
    return set(map(tuple, surface.vertices[surface.faces].mean(axis=1)))


def test_holes_follow_their_key_alone_and_those_of_a_higher_dose_hold_the_others():
    ball = sphere()
    few, many, others = (damages.holes(ball, dose, *key) for dose, key in ((0.2, "ab"), (0.5, "ab"), (0.2, "ac")))
    assert centers(many) < centers(few)
    assert centers(few) == centers(damages.holes(ball, 0.2, "a", "b")) != centers(others)


def test_two_faces_of_a_box():
    """A box of 4 x 2 x 6 around (12, 0, 0): its red front of 12, and twice half of its sides of 64, on both ends."""
    box = of(trimesh.creation.box((4, 2, 6)))
    box = Surface.colored(
        box.vertices[box.faces].reshape(-1, 3), np.arange(36).reshape(12, 3), box.colors[box.faces].reshape(-1, 3)
    )
    front = (box.vertices[box.faces, 0] == 2).all(axis=1).repeat(3)
    colors = np.where(front[:, None], (255, 0, 0), GREY).astype(np.uint8)
    box = replace(box, vertices=box.vertices + np.array([12, 0, 0]), colors=colors)
    after = damages.two_faces(box)
    assert size(after) == pytest.approx(2 * 12 + 64)
    x = after.vertices[after.faces, 0]
    assert ((x >= 12).all(axis=1) | (x <= 12).all(axis=1)).all() and (x == 12).any()
    for end in (10, 14):
        there = (x == end).all(axis=1)
        assert area(after.vertices[after.faces[there]]).sum() == pytest.approx(12)
        assert (after.colors[after.faces[there]] == (255, 0, 0)).all()
    assert is_watertight(merged(after))


def test_the_back_of_two_faces_is_the_front_turned():
    """What is on the left in front is on the left for someone behind."""
    corner = of(trimesh.creation.box((1, 1, 1)).apply_translation((2, 3, 0)))
    body = of(trimesh.creation.box((6, 8, 1)))
    both = replace(
        body,
        vertices=np.concatenate([body.vertices, corner.vertices]),
        faces=np.concatenate([body.faces, corner.faces + 8]),
        colors=np.tile(body.colors, (2, 1)),
        uv=np.tile(body.uv, (2, 1)),
        texture=np.tile(body.texture, 2),
    )
    found = damages.two_faces(both).vertices
    for place in ((2.5, 3.5, 0.5), (-2.5, -3.5, 0.5)):
        assert (found == place).all(axis=1).any()
    assert not (found == (-2.5, 3.5, 0.5)).all(axis=1).any()


def test_what_is_flat_has_no_front():
    sheet = textured(GREY)
    with pytest.raises(BadMesh):
        damages.two_faces(sheet.at(sheet.vertices[:, [2, 0, 1]]))


def test_divided_edges_leave_shape_texture_and_neighbors():
    box = of(trimesh.creation.box((1, 2, 3)))
    fine = refined(box, 0.2)
    assert is_watertight(merged(fine)) and size(fine) == pytest.approx(22)
    assert (
        np.linalg.norm(fine.vertices[fine.faces] - fine.vertices[np.roll(fine.faces, 1, axis=1)], axis=2).max() <= 0.2
    )
    strip = refined(textured(GREY, width=0.5), 0.1)
    assert strip.vertices[:, :2] == pytest.approx(strip.uv * (1, 0.5)) and size(strip) == pytest.approx(0.5)


def test_a_sphere_is_cut_at_a_plane():
    cap = beyond(sphere(), 0.6)
    assert cap.vertices[:, 0].min() == 0.6
    assert size(cap) == pytest.approx(2 * np.pi * 0.4, rel=0.01)
    assert len(beyond(sphere(), 2).faces) == 0


def test_textures_become_colors_of_vertices():
    """Between the centers of two texels, at 1/4 and 3/4, a texture is linear."""
    found = untextured(textured((0, 100, 0), (200, 100, 0), width=0.5))
    expected = 200 * ((found.vertices[:, 0] - 0.25) * 2).clip(0, 1)
    assert abs(found.colors[:, 0] - expected).max() <= 0.5 and (found.colors[:, 1] == 100).all()
    assert found.textures == () and (found.texture == -1).all()


def test_what_an_alpha_mask_cuts_away_is_left_out():
    assert size(untextured(textured((*GREY, 255), (*GREY, 0), cutoff=0.5))) == pytest.approx(0.5, abs=0.02)
    with pytest.raises(BadMesh):
        untextured(textured((*GREY, 0), cutoff=0.5))
