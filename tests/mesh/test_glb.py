"""GLB files: what is written is read back, in glTF's axes between."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from pictures import painted, solid

from jsdpipe.base.errors import UserError
from jsdpipe.mesh import glb
from jsdpipe.mesh.surface import Surface, Texture


def _mesh() -> Surface:
    mesh = trimesh.creation.box((1.0, 2.0, 4.0))
    mesh.apply_translation((0.1, 0.2, 0.3))
    return painted(mesh, np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 3)))


def test_round_trip_keeps_vertices_faces_and_colors(tmp_path):
    mesh = _mesh()
    glb.save(mesh, tmp_path / "mesh.glb")
    back = glb.load(tmp_path / "mesh.glb")
    np.testing.assert_allclose(back.vertices, mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(back.faces, mesh.faces)
    np.testing.assert_array_equal(back.colors, mesh.colors)
    assert solid(back).volume == pytest.approx(8.0)


def test_round_trip_keeps_textures(tmp_path):
    """Of two textures, beside faces without one."""
    mesh = _mesh()
    draw = np.random.default_rng(1)
    uv = draw.random((len(mesh.vertices), 2), np.float32)
    textures = tuple(Texture(draw.integers(0, 256, (size, 4, 3), np.uint8)) for size in (4, 8))
    texture = np.arange(len(mesh.faces), dtype=np.int32) % 3 - 1
    mesh = replace(mesh, uv=uv, texture=texture, textures=textures)
    glb.save(mesh, tmp_path / "mesh.glb")
    back = glb.load(tmp_path / "mesh.glb")
    place = {len(found.pixels): index for index, found in enumerate(back.textures)} | {0: -1}  # by their heights
    for index, height in ((-1, 0), (0, 4), (1, 8)):
        one, other = mesh.faces[mesh.texture == index], back.faces[back.texture == place[height]]
        np.testing.assert_allclose(back.vertices[other], mesh.vertices[one], atol=1e-6)
        np.testing.assert_array_equal(back.colors[other], mesh.colors[one])
        if index >= 0:
            np.testing.assert_array_equal(back.textures[place[height]].pixels, textures[index].pixels)
            np.testing.assert_allclose(back.uv[other], uv[one], atol=1e-6)


def _tree(path):
    content = path.read_bytes()
    assert struct.unpack("<4sII", content[:12]) == (b"glTF", 2, len(content))
    length = struct.unpack("<I", content[12:16])[0]
    return json.loads(content[20 : 20 + length]), content[28 + length :]


def test_stored_axes_are_gltf_s(tmp_path):
    glb.save(_mesh(), tmp_path / "mesh.glb")
    tree, _ = _tree(tmp_path / "mesh.glb")
    position = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    # world x (front) is glTF's z, world z (up) its y, world y its x
    np.testing.assert_allclose(position["max"], (0.2 + 1.0, 0.3 + 2.0, 0.1 + 0.5), atol=1e-6)
    np.testing.assert_allclose(position["min"], (0.2 - 1.0, 0.3 - 2.0, 0.1 - 0.5), atol=1e-6)


def test_same_mesh_same_bytes(tmp_path):
    for name in ("a.glb", "b.glb"):
        glb.save(_mesh(), tmp_path / name)
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_missing_broken_and_empty_files_are_named(tmp_path):
    (tmp_path / "broken.glb").write_bytes(b"glTF but not really")
    (tmp_path / "empty.glb").write_bytes(b"")
    glb.save(_mesh(), tmp_path / "cut.glb")
    (tmp_path / "cut.glb").write_bytes((tmp_path / "cut.glb").read_bytes()[:-100])
    for name in ("absent.glb", "broken.glb", "empty.glb", "cut.glb"):
        with pytest.raises(UserError, match=name):
            glb.load(tmp_path / name)


def test_every_stored_color_comes_back(tmp_path):
    """All 256 values of each channel, the darkest too, which 8 bits of linear light would make one."""
    values = np.arange(256)
    mesh = trimesh.creation.icosphere(subdivisions=3)
    colors = np.stack([values, values[::-1], np.roll(values, 7)], axis=1)[np.arange(len(mesh.vertices)) % 256]
    surface = painted(mesh, colors)
    glb.save(surface, tmp_path / "mesh.glb")
    back = glb.load(tmp_path / "mesh.glb")
    np.testing.assert_array_equal(back.colors[back.faces], surface.colors[surface.faces])


def test_colors_are_stored_as_linear_light_of_unlit_materials(tmp_path):
    """sRGB 128 is linear 0.21586, by IEC 61966-2-1, and 10 is 10 / 255 / 12.92."""
    mesh = painted(trimesh.creation.box(), np.tile((128, 10, 255), (8, 1)))
    texture = np.full((4, 4, 3), 128, np.uint8)
    uv, half = np.zeros((8, 2), np.float32), np.arange(12, dtype=np.int32) % 2 - 1
    glb.save(replace(mesh, uv=uv, texture=half, textures=(Texture(texture),)), tmp_path / "mesh.glb")
    tree, binary = _tree(tmp_path / "mesh.glb")
    assert tree["asset"]["generator"] == "jsdpipe" and tree["extensionsUsed"] == ["KHR_materials_unlit"]
    assert all("KHR_materials_unlit" in of["extensions"] and of["doubleSided"] for of in tree["materials"])
    targets = {}
    for primitive in tree["meshes"][0]["primitives"]:
        accessor = tree["accessors"][primitive["attributes"]["COLOR_0"]]
        assert (accessor["componentType"], accessor["normalized"], accessor["type"]) == (5123, True, "VEC4")
        view = tree["bufferViews"][accessor["bufferView"]]
        stored = np.frombuffer(binary, "<u2", 4 * accessor["count"], view["byteOffset"]).reshape(-1, 4) / 65535
        np.testing.assert_allclose(stored, np.tile((0.21586, 10 / 255 / 12.92, 1, 1), (len(stored), 1)), atol=1e-5)
        targets |= dict.fromkeys(primitive["attributes"].values(), 34962) | {primitive["indices"]: 34963}
    for accessor, target in targets.items():
        assert tree["bufferViews"][tree["accessors"][accessor]["bufferView"]]["target"] == target
    (image,) = tree["images"]
    assert "target" not in tree["bufferViews"][image["bufferView"]]
    assert len(targets) == len(tree["bufferViews"]) - 1
