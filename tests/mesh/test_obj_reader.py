"""OBJ as it is met in the wild: polygons, numbers from the end, materials, textures and their options."""

import numpy as np
import pytest
import trimesh
from mesh_files import CORNERS, PIXELS, UV, obj, png

from jsdpipe.base.mesh_references import files_of, texture_line
from jsdpipe.mesh.reading import BadMesh, read

BYTES = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
MTL = "newmtl skin\nKd 0.2 0.4 1\nmap_Kd {}\nnewmtl paint\nKd 0 0.2 0\n"


@pytest.mark.parametrize("image", ["skin.png", "textures/skin of it.png"])
def test_an_obj_with_materials_and_a_texture(tmp_path, image):
    body = "mtllib mesh.mtl\nusemtl skin\nf 1/1 2/2 3/3\nusemtl paint\nf 1/1 3/3 4/4\n"
    surface = read(obj(tmp_path, body, MTL.format(image), image=image))
    of_face = {int(index): face for index, face in zip(surface.texture, surface.faces, strict=True)}
    assert of_face.keys() == {0, -1}
    assert np.array_equal(surface.textures[0].pixels, PIXELS)
    assert np.array_equal(surface.vertices[of_face[0]], CORNERS[[0, 1, 2]])
    assert np.array_equal(surface.uv[of_face[0]], UV[[0, 1, 2]])
    assert (surface.colors[of_face[0]] == 255).all()  # a texture stands in the place of Kd
    assert (surface.colors[of_face[-1]] == (0, 51, 0)).all()


def test_an_obj_s_vertex_colors_are_multiplied_by_its_material(tmp_path):
    lines = "".join(f"v {x} {y} {z} {r} {g} {b}\n" for (x, y, z), (r, g, b) in zip(CORNERS, BYTES / 255, strict=True))
    (tmp_path / "mesh.mtl").write_text("newmtl paint\nKd 0.2 0.4 1\n")
    for body, expected in (
        ("f 1 2 3\nf 1 3 4\n", BYTES),
        ("mtllib mesh.mtl\nusemtl paint\nf 1 2 3\nf 1 3 4\n", [[51, 0, 0], [0, 102, 0], [0, 0, 255], [51, 102, 255]]),
    ):
        (tmp_path / "mesh.obj").write_text(lines + body)
        assert np.array_equal(read(tmp_path / "mesh.obj").colors, expected)


def test_a_texture_without_a_stated_color_is_not_darkened(tmp_path):
    body = "mtllib mesh.mtl\nusemtl skin\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
    surface = read(obj(tmp_path, body, "newmtl skin\nmap_Kd skin.png\n"))
    assert (surface.colors == 255).all() and len(surface.textures) == 1


def test_a_texture_that_is_no_picture_is_refused(tmp_path):
    body = "mtllib mesh.mtl\nusemtl skin\nf 1/1 2/2 3/3\n"
    path = obj(tmp_path, body, MTL.format("skin.png"))
    whole = (tmp_path / "skin.png").read_bytes()
    for content in (whole[:45], b"no picture"):
        (tmp_path / "skin.png").write_bytes(content)
        with pytest.raises(BadMesh, match="skin"):
            read(path)


CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
SIDES = [(1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4)]  # turned outwards


def cube(corner, after=""):
    """The sides of a cube, each corner written as `corner` says, of vertices that stand before all of them."""
    lines = "".join(f"v {x} {y} {z}\n" for x, y, z in CUBE) + "vt 0.25 0.5\nvn 0 0 1\n"
    return lines + "".join("f " + " ".join(corner.format(at, at - 9) for at in side) + after + "\n" for side in SIDES)


def beside():
    """As `cube`, the vertices of each side before it."""
    lines = ["".join("v {} {} {}\n".format(*CUBE[at - 1]) for at in side) + "f -4 -3 -2 -1\n" for side in SIDES]
    return "".join(lines)


def triangles_and_squares():
    lines = cube("{0}").splitlines()
    first = lines.index("f 1 2 4 3")
    return "\n".join([*lines[:first], "f 1 2 4", "f 1 4 3", *lines[first + 1 :]])


@pytest.mark.parametrize(
    "text",
    [
        cube("{0}"),
        cube("{0}/1"),
        cube("{0}//1"),
        cube("{0}/1/1"),
        cube("{1}"),
        cube("{1}/-1/-1"),
        cube("{0}", " \\\n").replace("\n", "\r\n") + "\r\nl 1 2\r\np 1\r\n",
        beside(),
        triangles_and_squares(),
    ],
)
def test_a_cube_is_a_cube_however_it_is_written(tmp_path, text):
    (tmp_path / "cube.obj").write_bytes(text.encode())
    surface = read(tmp_path / "cube.obj")
    shape = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert (len(surface.vertices), len(surface.faces)) == (8, 12)
    assert shape.is_watertight
    assert (shape.volume, shape.area) == pytest.approx((1, 6))


def test_a_pentagon_is_three_triangles(tmp_path):
    places = "v 0 0 0\nv 2 0 0\nv 2 1 0\nv 1 2 0\nv 0 1 0\n"
    (tmp_path / "a.obj").write_text(places + "f 1 2 3 4 5\n")
    surface = read(tmp_path / "a.obj")
    assert len(surface.faces) == 3
    assert trimesh.Trimesh(surface.vertices, surface.faces).area == pytest.approx(3)  # 2 + 1


@pytest.mark.parametrize(
    ("line", "name", "options"),
    [
        ("skin.png", "skin.png", {}),
        (" my skin.png ", "my skin.png", {}),
        ("-s 2 0.5 1 -o .5 -1e-1 0 skin.png", "skin.png", {"s": [2, 0.5, 1], "o": [0.5, -0.1, 0]}),
        ("-bm 1.0 -clamp on -mm 0 1 -s 3 2.png", "2.png", {"s": [3]}),
        ("a -s 1.png", "a -s 1.png", {}),
    ],
)
def test_the_options_of_a_texture_stand_before_its_name(line, name, options):
    assert texture_line(line) == (name, options)


def test_texture_coordinates_are_scaled_and_shifted_as_the_material_says(tmp_path):
    body = "mtllib mesh.mtl\nusemtl skin\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
    options = "newmtl skin\nmap_Kd -o 0.5 0.25 0 -s 2 3 1 {}\n"
    surface = read(obj(tmp_path, body, options.format("skin.png")))
    assert np.array_equal(surface.uv, UV * (2, 3) + (0.5, 0.25))
    surface = read(obj(tmp_path, body, options.format(".\\t\\skin.png"), image="t/skin.png"))
    assert np.array_equal(surface.textures[0].pixels, PIXELS)


def test_materials_of_several_files_have_names_with_spaces_and_textures_of_their_own(tmp_path):
    body = "mtllib mesh.mtl\nmtllib more of it.mtl\nusemtl the skin\nf 1/1 2/2 3/3\nusemtl  other #2\nf 1/1 3/3 4/4\n"
    path = obj(tmp_path, body, "newmtl the skin\nmap_Kd skin.png\n")
    (tmp_path / "more of it.mtl").write_text("newmtl other #2 \n\tKd 1 0 0\n\tmap_Kd other.png\n")
    (tmp_path / "other.png").write_bytes(png(PIXELS[::-1]))
    surface = read(path)
    of_face = {
        tuple(surface.vertices[face].sum(axis=0)): surface.textures[at].pixels
        for face, at in zip(surface.faces, surface.texture, strict=True)
    }
    assert np.array_equal(of_face[tuple(CORNERS[[0, 1, 2]].sum(axis=0))], PIXELS)
    assert np.array_equal(of_face[tuple(CORNERS[[0, 2, 3]].sum(axis=0))], PIXELS[::-1])


@pytest.mark.parametrize(
    ("libraries", "image"),
    [
        ("a.mtl b.mtl", "skin.png"), ("a.mtl   b.mtl ", '"skin.png"'), ("b.mtl # the skin's", "skin.png # of it"),
    ],
)  # fmt: skip
def test_several_materials_files_quoted_names_and_remarks(tmp_path, libraries, image):
    body = f"mtllib {libraries}\nusemtl skin\nf 1/1 2/2 3/3 # one\nf 1/1 3/3 4/4# two\n"
    path = obj(tmp_path, body)
    (tmp_path / "skin.png").write_bytes(png())
    (tmp_path / "a.mtl").write_text("newmtl paint\nKd 0 0 1\n")
    (tmp_path / "b.mtl").write_text(f"newmtl skin\nmap_Kd {image}\n")
    surface = read(path)
    assert len(surface.faces) == 2 and np.array_equal(surface.textures[0].pixels, PIXELS)
    assert {tmp_path / "b.mtl", tmp_path / "skin.png"} < set(files_of(path))


def test_materials_that_are_named_late_are_inputs_too(tmp_path):
    path = obj(tmp_path, "", "newmtl skin\nmap_Kd skin.png\n")
    path.write_text(path.read_text() + "v 0 0 0\n" * 200_000 + "mtllib mesh.mtl\nusemtl skin\nf 1/1 2/2 3/3\n")
    assert path.stat().st_size > 1 << 20
    assert read(path).textures
    assert files_of(path) == [path, tmp_path / "mesh.mtl", tmp_path / "skin.png"]


def test_faces_without_texture_coordinates_do_not_take_those_of_others(tmp_path):
    body = "mtllib mesh.mtl\nusemtl skin\nf 1/1 2/2 3/3\nf 1 3 4\n"
    surface = read(obj(tmp_path, body, MTL.format("skin.png")))
    assert sorted(surface.texture) == [-1, 0]
    for texture, color in ((0, (255, 255, 255)), (-1, (51, 102, 255))):
        assert (surface.colors[surface.faces[surface.texture == texture]] == color).all()


def test_coordinates_without_a_texture_change_nothing(tmp_path):
    for body in ("f 1 2 3\nf 1 3 4\n", "f 1/1 2/2 3/3\nf 1/2 3/3 4/4\n", "usemtl gone\nf 1/1 2/2 3/3\nf 1/2 3/3 4/4\n"):
        surface = read(obj(tmp_path, body))
        assert surface.textures == () and len(surface.vertices) == 4
        assert (surface.colors == 102).all()


MATERIALS = "newmtl paint\nKd 0 0.2 0\nnewmtl gold\nKd 1 0.8 0\nmap_Kd gone.png\nnewmtl skin\nmap_Kd gone.png\n"


@pytest.mark.parametrize(
    ("body", "color", "note"),
    [
        # nothing is lost: no face uses a material of it
        ("mtllib gone.mtl\nf 1 2 3\n", (102, 102, 102), "gone.mtl"),
        ("mtllib mesh.mtl gone.mtl\nusemtl paint\nf 1 2 3\n", (0, 51, 0), "gone.mtl"),
        # colors are lost
        ("mtllib gone.mtl\nusemtl paint\nf 1 2 3\n", (102, 102, 102), "paint"),
        ("mtllib mesh.mtl\nusemtl lost\nf 1 2 3\n", (102, 102, 102), "lost"),
        ("mtllib mesh.mtl\nusemtl gold\nf 1/1 2/2 3/3\n", (255, 204, 0), "gone.png"),
        ("mtllib mesh.mtl\nusemtl skin\nf 1/1 2/2 3/3\n", (102, 102, 102), "gone.png"),
    ],
)
def test_what_of_the_materials_is_missing_is_noted_and_the_rest_is_read(tmp_path, body, color, note):
    path = obj(tmp_path, body, MATERIALS)
    surface = read(path)
    assert (surface.colors == color).all() and not surface.textures
    (said,) = surface.notes
    assert note in said
    if note == "gone.mtl":
        assert read(path, require_materials=True).notes == surface.notes
        return
    with pytest.raises(BadMesh, match=rf"{note}.*mesh\.missing_material"):
        read(path, require_materials=True)


@pytest.mark.parametrize("use", ["", "usemtl lost\n"])
def test_colors_of_vertices_need_no_material(tmp_path, use):
    vertices = "".join(f"v {x} {y} {z} 0.2 0.6 0.4\n" for x, y, z in CUBE)
    faces = "".join("f {} {} {} {}\n".format(*side) for side in SIDES)
    (tmp_path / "a.obj").write_text(f"mtllib gone.mtl\n{vertices}{use}{faces}")
    surface = read(tmp_path / "a.obj")
    assert (len(surface.vertices), len(surface.faces)) == (8, 12)
    assert (surface.colors == (51, 153, 102)).all()
    (said,) = surface.notes
    assert "gone.mtl" in said and ("lost" in said) == bool(use)


def test_only_pictures_that_faces_show_must_be_there(tmp_path):
    path = obj(tmp_path, "mtllib mesh.mtl\nusemtl skin\nf 1 2 3\n", MTL.format("gone.png"))
    surface = read(path, require_materials=True)
    assert surface.notes == () and (surface.colors == (51, 102, 255)).all()


def test_a_note_names_the_first_of_many_materials_and_says_how_many_more(tmp_path):
    (said,) = read(obj(tmp_path, "".join(f"usemtl m{i}\nf 1 2 3\n" for i in range(9)))).notes
    assert "m0, m1, m2 " in said and "6" in said


def test_a_grey_of_one_number(tmp_path):
    """MTL allows it: green and blue are then as red."""
    surface = read(obj(tmp_path, "mtllib mesh.mtl\nusemtl a\nf 1 2 3\n", "newmtl a\nKd 0.2\n"))
    assert (surface.colors == 51).all()


@pytest.mark.parametrize(
    ("color", "expected", "noted"),
    [
        ("200 100 50", (200, 100, 50), True),
        ("1 0.4 0", (255, 102, 0), False),
        ("1 0 1", (255, 0, 255), False),
        ("1.25 0.4 0", (255, 102, 0), True),
    ],
)
def test_vertex_colors_above_1_are_noted(tmp_path, color, expected, noted):
    rows = "".join(f"v {place} {color}\n" for place in ("0 0 0", "1 0 0", "0 1 0"))
    (tmp_path / "a.obj").write_text(rows + "f 1 2 3\n")
    surface = read(tmp_path / "a.obj")
    assert (surface.colors == expected).all()
    assert ["above 1" in note for note in surface.notes] == [True] * noted


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("Ke 0 0 0", None), ("Ke 0 0.5 0", "light"), ("map_Ke skin.png", "light"), ("d 1", None), ("d 0.4", "through"),
        ("d -halo 0.4", "through"), ("Tr 1", None), ("Tr 0.3", "through"), ("map_d skin.png", "through"), ("d x", None),
        ("Kd 2 1 1", "above 1"),
    ],
)  # fmt: skip
def test_what_of_a_material_is_left_out_is_noted(tmp_path, line, word):
    path = obj(tmp_path, "mtllib mesh.mtl\nusemtl a\nf 1 2 3\n", f"newmtl a\n{line}\nnewmtl b\nKe 1 1 1\nd 0\n")
    assert [word in note for note in read(path).notes] == [True] * (word is not None)
