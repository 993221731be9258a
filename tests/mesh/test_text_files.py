"""Meshes' text files as editors and other systems leave them: byte order marks, ends of lines, foreign names."""

import numpy as np
import pytest
import trimesh
from mesh_files import PIXELS, obj, png

from jsdpipe.base.mesh_references import files_of
from jsdpipe.mesh.reading import read

WRITTEN = {
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "BOM, CR": lambda content: b"\xef\xbb\xbf" + content.replace(b"\n", b"\r"),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("kind", ["obj", "stl", "ascii", "binary"])
def test_marks_and_ends_of_lines_do_not_count(tmp_path, kind, written):
    ball = trimesh.creation.icosphere(subdivisions=1)
    ball.visual.vertex_colors = (200, 100, 50, 255)
    if kind in ("obj", "stl"):
        content = ball.export(file_type={"obj": "obj", "stl": "stl_ascii"}[kind]).encode()
        path = tmp_path / f"a.{kind}"
    else:
        content, path = ball.export(file_type="ply", encoding=kind), tmp_path / "a.ply"
    head = content.index(b"end_header\n") + 11 if kind == "binary" else len(content)
    path.write_bytes(written(content[:head]) + content[head:])
    surface = read(path)
    np.testing.assert_allclose(surface.vertices[surface.faces], ball.triangles, atol=1e-6)
    assert (surface.colors == ((102,) * 3 if kind == "stl" else (200, 100, 50))).all() and surface.notes == ()


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_the_first_line_counts_too(tmp_path, written):
    path = obj(tmp_path, "usemtl skin\nf 1/1 2/2 3/3\n", "newmtl skin\nmap_Kd skin.png\n")
    path.write_bytes(written(b"mtllib mesh.mtl\n" + path.read_bytes()))
    library = tmp_path / "mesh.mtl"
    library.write_bytes(written(library.read_bytes()))
    assert np.array_equal(read(path).textures[0].pixels, PIXELS)
    assert files_of(path) == [path, library, tmp_path / "skin.png"]


@pytest.mark.parametrize(
    ("library", "image", "taken"),
    [
        ("mesh.mtl", r"C:\Users\me\Desktop\skin.png", ["skin.png"]),
        ("mesh.mtl", "/home/her/textures/Skin.PNG", ["skin.png"]),
        ("mesh.mtl", "SKIN.png", ["skin.png"]),
        (r"..\out\Mesh.MTL", "skin.png", ["mesh.mtl"]),
        ("/home/of me/mesh.mtl", "textures/skin.png", ["mesh.mtl", "skin.png"]),
        ("mesh.mtl", "./skin.png", []),
    ],
)
def test_a_file_beside_that_is_meant_by_a_foreign_name_is_taken_with_a_note(tmp_path, library, image, taken):
    path = obj(tmp_path, f"mtllib {library}\nusemtl skin\nf 1/1 2/2 3/3\n", f"newmtl skin\nmap_Kd {image}\n")
    surface = read(path, require_materials=True)
    assert np.array_equal(surface.textures[0].pixels, PIXELS)
    assert all(name in note for name, note in zip(taken, surface.notes, strict=True))
    assert [file.name for file in files_of(path)] == ["mesh.obj", "mesh.mtl", "skin.png"]


def test_a_foreign_name_of_nothing_here_is_missing(tmp_path):
    path = obj(tmp_path, "mtllib mesh.mtl\nusemtl skin\nf 1/1 2/2 3/3\n", "newmtl skin\nmap_Kd C:\\a\\gone.png\n")
    surface = read(path)
    assert surface.textures == () and ["gone.png" in note for note in surface.notes] == [True]
    (tmp_path / "Gone.png").write_bytes(png())  # it is seen when it comes
    assert len(read(path).textures) == 1
