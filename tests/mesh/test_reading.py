"""Meshes from anywhere: geometry, materials and axes by kind of file, and why a file is refused."""

import re

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from mesh_files import CORNERS, PIXELS, TWO, UV, gltf, obj, png
from PIL import Image
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from jsdpipe.base.axes import to_world
from jsdpipe.mesh import reading
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
            with pytest.raises(ValueError, match=f"{front} .*{up}"):
                to_world(up, front)
            continue
        turn = to_world(up, front)
        assert np.linalg.det(turn) == 1
        assert np.array_equal(turn @ np.eye(3)["xyz".index(up)], [0, 0, 1])


def test_the_parts_of_a_scene_keep_their_places_and_textures(tmp_path):
    scene = trimesh.Scene()
    for name, shift, color in (("a", 0.0, 0), ("b", 5.0, 1), ("c", 9.0, 0)):
        box = trimesh.creation.box((1, 1, 1))
        pixels = np.roll(PIXELS, color, axis=0)
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
    by_image = {surface.textures[i].pixels[0, 0].tobytes(): faces[i].reshape(-1, 3) for i in (0, 1)}
    once, twice = by_image[PIXELS[1, 0].tobytes()], by_image[PIXELS[0, 0].tobytes()]
    np.testing.assert_allclose([once.min(axis=0), once.max(axis=0)], [[4, -1, -1], [6, 1, 1]], atol=1e-6)
    np.testing.assert_allclose([twice.min(axis=0), twice.max(axis=0)], [[-1, -1, -1], [10, 1, 1]], atol=1e-6)
    assert (surface.colors[surface.faces[surface.texture == -1]] == (1, 2, 3)).all()
    assert faces[-1][..., 2].mean() == pytest.approx(7)


def test_a_mesh_far_from_the_origin_has_an_extent(tmp_path):
    far = "".join(f"v {x + 1e6} {y - 5.4e6} {z}\n" for x, y, z in CORNERS.tolist())
    for body, said in (("f 1 2 3\n", None), ("f 1 2 2\n", "area"), ("f 1 1 1\n", "extent")):
        (tmp_path / "a.obj").write_text(far + body)
        if said is None:
            read(tmp_path / "a.obj")
        else:
            with pytest.raises(BadMesh, match=said):
                read(tmp_path / "a.obj")
    # a line, which rounding bends by no more than 1e-9
    (tmp_path / "a.obj").write_text("v 5400000.1 0 0\nv 5400000.2 0 0.1\nv 5400000.4 0 0.3\nf 1 2 3\n")
    with pytest.raises(BadMesh, match="area"):
        read(tmp_path / "a.obj")


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
    colors = draw.integers(0, 2, (12, 3), np.uint8) * 255
    faces = draw.integers(0, 12, (8, 3))
    path = tmp_path_factory.getbasetemp() / "any.ply"
    trimesh.Trimesh(vertices, faces, vertex_colors=colors, process=False).export(path)
    try:
        surface = read(path)
    except BadMesh:
        return
    assert np.array_equal(surface.vertices[surface.faces], vertices[faces])
    assert np.array_equal(surface.colors[surface.faces], colors[faces])
    rows = np.concatenate([surface.vertices, surface.colors], axis=1)
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
        (changed(2, np.nan), TWO, "finite"),
        (changed(2, -np.inf), TWO, "finite"),
        (changed(2, 1e20), TWO, r"1e\+20"),
        (changed(slice(None), 3.0), TWO, "extent"),
        (changed(slice(None), 0.0), TWO, "extent"),
        (CORNERS, TWO[:, [0, 0, 1]].copy(), "area"),
        (CORNERS, np.array([[0, 1, 9]], np.uint32), "vertex"),
        (CORNERS, np.empty((0, 3), np.uint32), "triangles"),
    ],
)
def test_what_cannot_be_placed_before_a_camera_says_why(tmp_path, vertices, faces, said):
    path = gltf(tmp_path / "a.gltf", vertices=vertices, faces=faces)
    with pytest.raises(BadMesh, match=f"^{path}: .*{said}"):
        read(path)


def test_too_many_faces_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_FACES", 1)
    with pytest.raises(BadMesh, match=r"\b1\b"):
        read(gltf(tmp_path / "a.gltf"))


def test_files_that_are_no_meshes_say_why(tmp_path):
    whole = tmp_path / "whole.glb"
    trimesh.creation.box().export(whole)
    cases = {
        "absent.glb": (None, "file"),
        "mesh.fbx": (b"x", ".glb, .gltf, .obj, .ply, .stl"),
        "empty.glb": (b"", "GLB"),
        "text.glb": (b"glTF but not really", "GLB"),
        "cut.glb": (whole.read_bytes()[:-100], "cut"),
        "empty.obj": (b"", "triangles"),
        "empty.ply": (b"", "PLY"),
        "empty.stl": (b"", "triangles"),
        "points.obj": (b"v 0 0 0\nv 1 1 1\n", "triangles"),
        "odd.obj": (b"v 0 0 0\nv 1 1 1\nf 1 2 77\n", "vertex"),
        "short.obj": (b"v 0 0\n", '"v 0 0"'),
        "word.obj": (b"v 0 0 0\nf 1 x 1\n", '"f 1 x 1"'),
        "a\nb.ply": (b"ply\n", "PLY"),
        "no-buffer.gltf": ({"buffers": [{"uri": "none.bin", "byteLength": 4}]}, "none.bin"),
    }
    for name, (content, said) in cases.items():
        path = tmp_path / name
        if isinstance(content, dict):
            gltf(path, **content)
        elif content is not None:
            path.write_bytes(content)
        with pytest.raises(BadMesh) as error:
            read(path)
        line = str(error.value)
        assert line.startswith(f"{tmp_path}/") and said in line.removeprefix(f"{tmp_path}/{name}"), name


# words of Python's and of libraries' errors, which no reason passes on
FOREIGN = re.compile(
    "Error|Exception|Expecting|NoneType|argument|array|attribute|codec|dtype|index|literal|object|operand|requires a"
    "|struct|subscript|unpack|\\bint\\b|\\bstr\\b"
)


def whole_files(folder):
    """A good file of each kind, with colors, materials and a texture where the kind has them."""
    box = trimesh.creation.box()
    box.visual.vertex_colors = (1, 2, 3, 255)
    files = {f"box.{kind}": box.export(file_type=kind) for kind in ("glb", "ply", "stl")}
    files |= {
        "ascii.ply": box.export(file_type="ply", encoding="ascii"),
        "ascii.stl": box.export(file_type="stl_ascii"),
    }
    (folder / "skin.png").write_bytes(png())
    path = gltf(folder / "a.gltf", {"baseColorTexture": {"index": 0}}, uv=UV, image="skin.png")
    files["a.gltf"] = path.read_bytes()
    path = obj(folder, "mtllib mesh.mtl\nusemtl a\nf 1/1 2/2 3/3\n", "newmtl a\nKd 1 1 1\nmap_Kd skin.png\n")
    files |= {name: (folder / name).read_bytes() for name in ("mesh.obj", "mesh.mtl", "skin.png")}
    return {name: of.encode() if isinstance(of, str) else of for name, of in files.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, whole_files(folder)


def reason(path):
    """Why a file is no mesh; None if it is one."""
    try:
        read(path)
    except BadMesh as error:
        assert str(error).startswith(f"{path}: ")
        return str(error).removeprefix(f"{path}: ")
    return None


def in_our_own_words(said):
    """Whether a reason, if any, is a short line with no other error in it, but for what it quotes of the file."""
    return said is None or (said.isprintable() and len(said) < 300 and not FOREIGN.search(re.sub('".*"', "", said)))


def test_files_of_another_kind_say_so_in_our_own_words(whole):
    folder, files = whole
    assert [reason(folder / "a.gltf"), reason(folder / "mesh.obj")] == [None, None]
    contents = [
        *files.values(),
        b"",
        b"\0",
        b"{}",
        b"[1]",
        b"null",
        b"ply\n",
        b"solid\n",
        b"\xff\xfe\xfd" * 99,
        b"[" * 9999,
    ]
    for content in contents:
        for suffix in (".glb", ".gltf", ".obj", ".ply", ".stl"):
            path = folder / f"other{suffix}"
            path.write_bytes(content)
            said = reason(path)
            assert in_our_own_words(said), (suffix, content[:20], said)


@given(st.data())
def test_damaged_files_say_so_in_our_own_words(whole, data):
    """Files cut short, or with bytes changed; materials and pictures too, which are read with what names them."""
    folder, files = whole
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name][: data.draw(st.integers(0, len(files[name])))])
    for _ in range(data.draw(st.integers(0, 3))) if content else ():
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    beside = folder / "damaged"
    beside.mkdir(exist_ok=True)
    for other, whole_content in files.items():
        (beside / other).write_bytes(whole_content)
    (beside / name).write_bytes(content)
    said = reason(beside / {"mesh.mtl": "mesh.obj", "skin.png": "mesh.obj"}.get(name, name))
    assert in_our_own_words(said), (name, bytes(content), said)
