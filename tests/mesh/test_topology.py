"""Which meshes leave no hole, and how many parts they have, of meshes whose answer is known by hand."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.mesh.surface import Surface
from jsdpipe.mesh.topology import component_labels, is_watertight, merged

CUBE = trimesh.creation.box()


def surface(*meshes):
    """Meshes side by side, each with vertices of its own."""
    whole = trimesh.util.concatenate(meshes) if len(meshes) > 1 else meshes[0]
    return Surface.colored(whole.vertices, whole.faces, np.zeros((len(whole.vertices), 3)))


def moved(x, y, z):
    return CUBE.copy().apply_translation((x, y, z))


def without_a_face(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces[1:], process=False)


def inverted(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)


def some_turned(mesh):
    faces = mesh.faces.copy()
    faces[::3] = faces[::3, ::-1]
    return trimesh.Trimesh(mesh.vertices, faces, process=False)


SHEET = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)


@pytest.mark.parametrize(
    ("meshes", "closed", "parts"),
    [
        ([CUBE], True, 1),
        ([some_turned(CUBE)], True, 1),  # each edge has its two faces, though not all are turned outwards
        ([CUBE, moved(1, 1, 0)], True, 1),  # two along an edge, which has four faces
        ([CUBE, moved(1, 1, 1)], True, 1),  # at a corner
        ([CUBE, moved(0, 0, 1)], True, 1),  # on top of each other
        ([CUBE, moved(3, 0, 0)], True, 2),
        ([CUBE, CUBE], True, 1),  # twice the same
        ([without_a_face(CUBE)], False, 1),
        ([CUBE, without_a_face(moved(1, 1, 0))], False, 1),
        ([without_a_face(CUBE), without_a_face(CUBE)], False, 1),
        ([CUBE, moved(3, 0, 0), SHEET], False, 3),
        ([SHEET, inverted(SHEET)], False, 1),  # a sheet with two sides
        ([SHEET, SHEET], False, 1),
    ],
)
def test_what_leaves_no_hole(meshes, closed, parts):
    faces = merged(surface(*meshes))
    assert is_watertight(faces) is closed
    assert component_labels(faces).max() + 1 == parts


def test_seams_of_color_are_no_holes_and_triangles_without_area_do_not_count():
    loose = trimesh.Trimesh(CUBE.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    assert not loose.is_watertight and is_watertight(merged(surface(loose)))
    line = np.array([[0, 1, 1], [2, 2, 2]])
    assert is_watertight(np.concatenate([merged(surface(CUBE)), line]))
    assert not is_watertight(line)


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_merging_any_vertices_of_a_closed_mesh_opens_no_hole(merges, seed):
    """Their edges then have four faces or more, but it holds water as before."""
    sphere = trimesh.creation.icosphere(subdivisions=1)
    draw = np.random.default_rng(seed)
    number = np.arange(len(sphere.vertices))
    for _ in range(merges):
        one, other = draw.choice(len(number), 2, replace=False)
        number[one] = number[other]
    faces = number[sphere.faces]
    assert is_watertight(faces)
    whole = np.flatnonzero([len(set(face)) == 3 for face in faces.tolist()])
    assert not is_watertight(np.delete(faces, whole[0], axis=0))
