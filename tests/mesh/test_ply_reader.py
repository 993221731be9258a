"""PLY as it is met in the wild: ASCII and binary, polygons, numbers of any type, colors and textures."""

import struct

import numpy as np
import pytest
import trimesh
from mesh_files import CORNERS, PIXELS, TWO, png

from jsdpipe.mesh.reading import BadMesh, read


def test_face_colors_of_a_ply_are_sharp(tmp_path):
    mesh = trimesh.Trimesh(CORNERS, TWO, process=False)
    mesh.visual.face_colors = [[255, 0, 0, 255], [0, 0, 255, 255]]
    mesh.export(tmp_path / "a.ply")
    surface = read(tmp_path / "a.ply")
    assert (surface.colors[surface.faces[0]] == (255, 0, 0)).all()
    assert (surface.colors[surface.faces[1]] == (0, 0, 255)).all()
    assert len(surface.vertices) == 6


TYPES = {"uchar": "B", "ushort": "H", "int": "i", "float": "f", "double": "d"}
SQUARE = [[0, 1, 2, 3]]


def ply(path, faces, columns=(), of_faces=(), lists=(), form="ascii", comment=""):
    """A file of the corners and some polygons, with columns (names, type, rows) of either and lists of faces."""

    def row(*values):
        """Values, each with its type; of a list, with its length before it."""
        flat = [
            pair
            for value, kind in values
            for pair in (
                [(len(value), "uchar"), *((one, kind) for one in value)] if isinstance(value, list) else [(value, kind)]
            )
        ]
        if form == "ascii":
            return (" ".join(f"{value:g}" for value, _ in flat) + "\n").encode()
        order = "<" if form == "binary_little_endian" else ">"
        return struct.pack(order + "".join(TYPES[kind] for _, kind in flat), *(value for value, _ in flat))

    def stated(columns):
        return "".join(f"property {kind} {name}\n" for names, kind, _ in columns for name in names)

    def further(columns, index):
        return [(value, kind) for _, kind, rows in columns for value in rows[index]]

    header = (
        f"ply\nformat {form} 1.0\n{comment}element vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        f"{stated(columns)}element face {len(faces)}\nproperty list uchar int vertex_indices\n"
        + "".join(f"property list uchar float {name}\n" for name, _ in lists)
        + f"{stated(of_faces)}end_header\n"
    )
    body = [row(*((float(v), "float") for v in place), *further(columns, i)) for i, place in enumerate(CORNERS)]
    for index, face in enumerate(faces):
        of_lists = [(rows[index], "float") for _, rows in lists]
        body.append(row((face, "int"), *of_lists, *further(of_faces, index)))
    path.write_bytes(header.encode() + b"".join(body))
    return path


FORMS = ("ascii", "binary_little_endian", "binary_big_endian")
RGB = ("red", "green", "blue")
BYTES = [(255, 0, 0), (0, 255, 0), (51, 102, 204), (255, 255, 255)]


@pytest.mark.parametrize(
    ("form", "kind", "names", "whole"),
    [
        *((form, "uchar", RGB, 1) for form in FORMS),
        ("binary_big_endian", "ushort", RGB, 257),
        ("binary_little_endian", "ushort", RGB, 257),
        ("ascii", "float", RGB, 1 / 255),
        ("binary_big_endian", "double", RGB, 1 / 255),
        ("ascii", "uchar", ("diffuse_red", "diffuse_green", "diffuse_blue"), 1),
    ],
)
def test_colors_of_vertices(tmp_path, form, kind, names, whole):
    rows = [tuple(value * whole for value in color) for color in BYTES]
    path = ply(tmp_path / "a.ply", TWO.tolist(), [(names, kind, rows)], form=form)
    surface = read(path)
    assert np.array_equal(surface.vertices, CORNERS) and np.array_equal(surface.faces, TWO)
    assert np.array_equal(surface.colors, BYTES)


@pytest.mark.parametrize("form", FORMS)
def test_polygons_become_triangles(tmp_path, form):
    flags = (("flags",), "int", [(7,)] * 3)
    for faces in (SQUARE, [[0, 1, 2, 3], [0, 1, 2], [1, 2]], [[0, 1, 2], [0, 2, 3, 1]]):
        surface = read(ply(tmp_path / "a.ply", faces, of_faces=[flags], form=form))
        found = sorted(tuple(face) for face in surface.vertices[surface.faces].sum(axis=1).tolist())
        fans = [(face[0], *face[i : i + 2]) for face in faces for i in range(1, len(face) - 1)]
        assert found == sorted(tuple(CORNERS[list(face)].sum(axis=0).tolist()) for face in fans)


def test_colors_stay_beside_coordinates_without_a_texture_and_are_multiplied_by_one(tmp_path):
    columns = [(("s", "t"), "float", [(0.25, 0.5)] * 4), (RGB, "uchar", BYTES)]
    (tmp_path / "my skin.png").write_bytes(png())
    for comment, count in (("", 0), ("comment TextureFile my skin.png\n", 1)):
        surface = read(ply(tmp_path / "a.ply", TWO.tolist(), columns, comment=comment))
        assert np.array_equal(surface.colors, BYTES)
        assert len(surface.textures) == count
        assert (surface.uv == ((0.25, 0.5) if count else 0)).all()


@pytest.mark.parametrize("form", FORMS)
def test_corners_of_faces_have_coordinates_of_several_textures(tmp_path, form):
    """As MeshLab writes them."""
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.png").write_bytes(png(PIXELS[::-1]))
    comment = "comment TextureFile a.png\ncomment TextureFile b.png\n"
    uv = [[0, 0, 0.5, 0, 0.5, 1], [0.25, 0, 0.5, 1, 0, 1]]
    number = (("texnumber",), "int", [(1,), (0,)])
    path = ply(
        tmp_path / "a.ply", TWO.tolist(), of_faces=[number], lists=[("texcoord", uv)], form=form, comment=comment
    )
    surface = read(path)
    of_texture = {
        surface.textures[at].pixels.tobytes(): face for at, face in zip(surface.texture, surface.faces, strict=True)
    }
    for pixels, at in ((PIXELS[::-1], 0), (PIXELS, 1)):
        face = of_texture[pixels.tobytes()]
        assert np.array_equal(surface.vertices[face], CORNERS[TWO[at]])
        assert np.array_equal(surface.uv[face], np.reshape(uv[at], (3, 2)))
    assert (surface.colors == 255).all()


def test_broken_files_say_why(tmp_path):
    whole = ply(tmp_path / "a.ply", TWO.tolist(), form="binary_little_endian").read_bytes()
    for content, said in (
        (whole[:-1], "row 2.* face"),
        (whole[:60], "line 4"),
        (whole.replace(b"ply", b"plx", 1), "line 1"),
        (whole.replace(b"float y", b"quint y", 1), "line 5"),
        (whole.replace(b"vertex_indices", b"edges"), "PLY"),
    ):
        (tmp_path / "a.ply").write_bytes(content)
        with pytest.raises(BadMesh, match=rf"a\.ply: .*{said}"):
            read(tmp_path / "a.ply")


def test_values_behind_those_that_the_header_declares_are_left_out(tmp_path):
    """As some exporters write texture coordinates of faces; other readers leave them out too."""
    path = ply(tmp_path / "a.ply", TWO.tolist(), [(RGB, "uchar", BYTES)])
    text = path.read_text()
    for end in ("\n", "\r\n"):
        head, body = text.split("end_header\n")
        rows = [f"{row} 6 0.5 x {at}" if at != 1 else row for at, row in enumerate(body.splitlines())]
        path.write_bytes(end.join([*head.splitlines(), "end_header", *rows, ""]).encode())
        surface = read(path)
        assert np.array_equal(surface.vertices, CORNERS) and np.array_equal(surface.faces, TWO)
        assert np.array_equal(surface.colors, BYTES)
    rows[5] = "3 0 2"
    path.write_text("\n".join([*head.splitlines(), "end_header", *rows, ""]))
    with pytest.raises(BadMesh, match=r"row 2.* face"):
        read(path)


def test_a_texture_that_is_not_there_is_noted(tmp_path):
    uv = (("s", "t"), "float", [(0, 0)] * 4)
    for columns, colors in (([uv], (102, 102, 102)), ([uv, (RGB, "uchar", BYTES)], BYTES)):
        path = ply(tmp_path / "a.ply", TWO.tolist(), columns, comment="comment TextureFile none.png\n")
        surface = read(path)
        assert (surface.colors == colors).all() and surface.textures == ()
        assert ["none.png" in note for note in surface.notes] == [True]
        with pytest.raises(BadMesh, match=r"none\.png"):
            read(path, require_materials=True)


def test_coordinates_in_double_precision_are_kept(tmp_path):
    far = CORNERS.astype(np.float64) + np.array([1e6, 5.4e6, 100.125])
    rows = "".join("{:.3f} {:.3f} {:.3f}\n".format(*place) for place in far) + "3 0 1 2\n3 0 2 3\n"
    header = "ply\nformat ascii 1.0\nelement vertex 4\n" + "".join(f"property double {axis}\n" for axis in "xyz")
    header += "element face 2\nproperty list uchar int vertex_indices\nend_header\n"
    (tmp_path / "a.ply").write_text(header + rows)
    assert np.array_equal(read(tmp_path / "a.ply").vertices, far)


def of_type(kind, color):
    """An ASCII PLY file of a triangle in a color, with or without an alpha."""
    rows = "".join(f"{place} {' '.join(map(str, color))}\n" for place in ("0 0 0", "1 0 0", "0 1 0"))
    header = "".join(f"property float {axis}\n" for axis in "xyz")
    header += "".join(f"property {kind} {of}\n" for of in ("red", "green", "blue", "alpha")[: len(color)])
    return (
        f"ply\nformat ascii 1.0\nelement vertex 3\n{header}element face 1\nproperty list uchar int vertex_indices\n"
        f"end_header\n{rows}3 0 1 2\n"
    )


@pytest.mark.parametrize(
    ("kind", "stored", "expected", "noted"),
    [
        *((kind, (200, 100, 50), [200, 100, 50], False) for kind in ("uchar", "short", "ushort", "int", "uint")),
        ("char", (100, 50, 0), [100, 50, 0], False),
        ("ushort", (65535, 32768, 0), [255, 128, 0], False),
        ("ushort", (257, 32768, 0), [1, 128, 0], False),
        ("int", (2147483647, 0, 1073741824), [255, 0, 128], False),
        ("float", (1, 0.5, 0), [255, 128, 0], False),
        ("float", (200, 100, 50), [200, 100, 50], True),
        ("double", (255, 1, 0), [255, 1, 0], True),
        ("float", (1.5, 0.5, 0), [255, 128, 0], True),
    ],
)
def test_colors_are_of_0_to_255_unless_they_cannot_be(tmp_path, kind, stored, expected, noted):
    (tmp_path / "a.ply").write_text(of_type(kind, stored))
    surface = read(tmp_path / "a.ply")
    assert surface.colors.tolist() == [expected] * 3
    assert ["above 1" in note for note in surface.notes] == [True] * noted


@pytest.mark.parametrize(
    ("kind", "alpha", "noted"), [("uchar", 254, True), ("uchar", 255, False), ("float", 0.5, True)]
)
def test_alphas_are_noted_and_left_out(tmp_path, kind, alpha, noted):
    (tmp_path / "a.ply").write_text(of_type(kind, (1, 1, 1, alpha)))
    assert ["through" in note for note in read(tmp_path / "a.ply").notes] == [True] * noted
