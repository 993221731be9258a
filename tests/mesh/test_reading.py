"""Meshes from anywhere: geometry, materials and axes by kind of file, and why a file is refused."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from mesh_files import CORNERS, PIXELS, TWO, UV, gltf, obj
from PIL import Image
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from jsdpipe.mesh import reading
from jsdpipe.mesh.axes import to_world
from jsdpipe.mesh.reading import BadMesh, read

GLTF_TO_WORLD = [2, 0, 1]


def test_a_gltf_is_turned_into_world_axes_and_an_obj_is_not(tmp_path):
    assert np.array_equal(read(gltf(tmp_path / "a.gltf")).vertices, CORNERS[:, GLTF_TO_WORLD])
    path = obj(tmp_path, "f 1 2 3\nf 1 3 4\n")
    assert np.array_equal(read(path).vertices, CORNERS)
    assert np.array_equal(read(path, up="y").vertices, CORNERS[:, GLTF_TO_WORLD])
    # the front on -y, as some tools have it: what is at -y comes to x
    turned = read(path, up="z", front="-y").vertices
    assert np.array_equal(turned, np.stack([-CORNERS[:, 1], CORNERS[:, 0], CORNERS[:, 2]], axis=1))


@pytest.mark.parametrize("up", ["y", "z"])
def test_axes_are_rotations(up):
    for front in ("x", "-x", "y", "-y", "z", "-z"):
        if front[-1] == up:
            with pytest.raises(ValueError, match=f"the front cannot be {front} where {up} is up"):
                to_world(up, front)
            continue
        turn = to_world(up, front)
        assert np.linalg.det(turn) == 1
        assert np.array_equal(turn @ np.eye(3)["xyz".index(up)], [0, 0, 1])


def test_the_parts_of_a_scene_keep_their_places_and_textures(tmp_path):
    scene = trimesh.Scene()
    for name, shift, colour in (("a", 0.0, 0), ("b", 5.0, 1), ("c", 9.0, 0)):
        box = trimesh.creation.box((1, 1, 1))
        pixels = np.roll(PIXELS, colour, axis=0)
        material = PBRMaterial(name=name, baseColorTexture=Image.fromarray(pixels))
        box.visual = TextureVisuals(uv=box.vertices[:, :2], material=material)
        turn = trimesh.transformations.rotation_matrix(np.pi / 2, (0, 0, 1))
        turn[0, 3] = shift
        turn[:3, :3] *= 2
        scene.add_geometry(box, node_name=name, geom_name=name, transform=turn)
    plain = trimesh.creation.icosphere(subdivisions=0)
    plain.visual.vertex_colors = (1, 2, 3, 255)
    scene.add_geometry(plain, node_name="d", transform=trimesh.transformations.translation_matrix((0, 0, 7)))
    scene.export(tmp_path / "scene.glb")
    surface = read(tmp_path / "scene.glb", up="z")
    faces = {index: surface.vertices[surface.faces[surface.texture == index]] for index in (-1, 0, 1)}
    assert [len(surface.textures), len(faces[-1]), len(faces[0]), len(faces[1])] == [2, 20, 24, 12]
    by_image = {surface.textures[i][0, 0].tobytes(): faces[i].reshape(-1, 3) for i in (0, 1)}
    once, twice = by_image[PIXELS[1, 0].tobytes()], by_image[PIXELS[0, 0].tobytes()]
    np.testing.assert_allclose([once.min(axis=0), once.max(axis=0)], [[4, -1, -1], [6, 1, 1]], atol=1e-6)
    np.testing.assert_allclose([twice.min(axis=0), twice.max(axis=0)], [[-1, -1, -1], [10, 1, 1]], atol=1e-6)
    assert (surface.colours[surface.faces[surface.texture == -1]] == (1, 2, 3)).all()
    assert faces[-1][..., 2].mean() == pytest.approx(7)


@pytest.mark.parametrize("suffix", ["obj", "ply", "stl", "glb"])
def test_the_same_mesh_of_any_kind_has_the_same_mean(tmp_path, suffix):
    """Corners of their own (STL, flat normals) would weigh a vertex by its faces."""
    sphere = trimesh.creation.icosphere(subdivisions=1)
    sphere.apply_translation((1, 2, 3))
    loose = trimesh.Trimesh(
        sphere.triangles.reshape(-1, 3), np.arange(3 * len(sphere.faces)).reshape(-1, 3), process=False
    )
    loose.export(tmp_path / f"a.{suffix}")
    surface = read(tmp_path / f"a.{suffix}", up="z")
    assert len(surface.vertices) == len(sphere.vertices)
    np.testing.assert_allclose(surface.vertices.mean(axis=0), (1, 2, 3), atol=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_equal_vertices_become_one_and_no_corner_moves(tmp_path_factory, seed):
    draw = np.random.default_rng(seed)
    vertices = draw.integers(0, 3, (12, 3)).astype(np.float64)
    colours = draw.integers(0, 2, (12, 3), np.uint8) * 255
    faces = draw.integers(0, 12, (8, 3))
    path = tmp_path_factory.getbasetemp() / "any.ply"
    trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False).export(path)
    try:
        surface = read(path)
    except BadMesh:
        return
    assert np.array_equal(surface.vertices[surface.faces], vertices[faces])
    assert np.array_equal(surface.colours[surface.faces], colours[faces])
    rows = np.concatenate([surface.vertices, surface.colours], axis=1)
    assert len(np.unique(rows, axis=0)) == len(rows) == len(np.unique(surface.faces))


def test_a_vertex_that_no_face_uses_does_not_count(tmp_path):
    stray = np.vstack([CORNERS, [[np.nan, np.inf, 1e30]]]).astype(np.float32)
    surface = read(gltf(tmp_path / "a.gltf", vertices=stray), up="z")
    assert np.array_equal(surface.vertices, CORNERS)


def changed(index, value):
    vertices = CORNERS.copy()
    vertices[index] = value
    return vertices


@pytest.mark.parametrize(
    ("vertices", "faces", "said"),
    [
        (changed(2, np.nan), TWO, "a coordinate is not finite"),
        (changed(2, -np.inf), TWO, "a coordinate is not finite"),
        (changed(2, 1e20), TWO, "a coordinate of 1e+20 is beyond 1e+15"),
        (changed(slice(None), 3.0), TWO, "no extent: all vertices are (nearly) the same"),
        (changed(slice(None), 0.0), TWO, "no extent: all vertices are (nearly) the same"),
        (CORNERS, TWO[:, [0, 0, 1]].copy(), "no area: every triangle is a line or a point"),
        (CORNERS, np.array([[0, 1, 9]], np.uint32), "cannot be read (a face names a vertex that is not there)"),
        (CORNERS, np.empty((0, 3), np.uint32), "no triangles"),
    ],
)
def test_what_cannot_be_placed_before_a_camera_says_why(tmp_path, vertices, faces, said):
    path = gltf(tmp_path / "a.gltf", vertices=vertices, faces=faces)
    with pytest.raises(BadMesh) as error:
        read(path)
    assert str(error.value) == f"{path}: {said}"


def test_too_many_faces_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_FACES", 1)
    with pytest.raises(BadMesh, match="more than 1 faces"):
        read(gltf(tmp_path / "a.gltf"))


def test_files_that_are_no_meshes_say_why(tmp_path):
    whole = tmp_path / "whole.glb"
    trimesh.creation.box().export(whole)
    body = "mtllib mesh.mtl\nusemtl skin\nf 1/1 2/2 3/3\n"
    textured = {"baseColorTexture": {"index": 0}}
    cases = {
        "absent.glb": (None, "no such file"),
        "mesh.fbx": (b"x", "no kind of mesh that is known; there are .glb, .gltf, .obj, .ply, .stl"),
        "empty.glb": (b"", "cannot be read ("),
        "text.glb": (b"glTF but not really", "cannot be read ("),
        "cut.glb": (whole.read_bytes()[:-100], "cannot be read ("),
        "empty.obj": (b"", "no triangles"),
        "empty.ply": (b"", "cannot be read ("),
        "empty.stl": (b"", "no triangles"),
        "points.obj": (b"v 0 0 0\nv 1 1 1\n", "no triangles"),
        "odd.obj": (b"v 0 0 0\nv 1 1 1\nf 1 2 77\n", "cannot be read ("),
        "a\nb.ply": (b"ply\n", "cannot be read ("),
        "no-mtl.obj": (body, "names mesh.mtl, which cannot be read"),
        "no-buffer.gltf": ({"buffers": [{"uri": "none.bin", "byteLength": 4}]}, "names none.bin, which cannot be read"),
        "no-image.gltf": ("none.png", "names none.png, which cannot be read"),
    }
    for name, (content, said) in cases.items():
        path = tmp_path / name
        if name == "no-mtl.obj":
            obj(tmp_path, content, name=name)
        elif name == "no-image.gltf":
            gltf(path, textured, uv=UV, image=content)
        elif isinstance(content, dict):
            gltf(path, **content)
        elif content is not None:
            path.write_bytes(content)
        with pytest.raises(BadMesh) as error:
            read(path)
        line = str(error.value)
        assert said in line and line.startswith(str(tmp_path)) and "\n" not in line, name
