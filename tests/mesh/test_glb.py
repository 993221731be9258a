"""GLB files: what is written is read back, in glTF's axes between."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from pictures import painted, solid

from jsdpipe.errors import UserError
from jsdpipe.mesh import glb
from jsdpipe.mesh.surface import Surface


def _mesh() -> Surface:
    mesh = trimesh.creation.box((1.0, 2.0, 4.0))
    mesh.apply_translation((0.1, 0.2, 0.3))
    return painted(mesh, np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 3)))


def test_round_trip_keeps_vertices_faces_and_colours(tmp_path):
    mesh = _mesh()
    glb.save(mesh, tmp_path / "mesh.glb")
    back = glb.load(tmp_path / "mesh.glb")
    np.testing.assert_allclose(back.vertices, mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(back.faces, mesh.faces)
    np.testing.assert_array_equal(back.colours, mesh.colours)
    assert solid(back).volume == pytest.approx(8.0)


def test_round_trip_keeps_textures(tmp_path):
    """Of two textures, beside faces without one."""
    mesh = _mesh()
    draw = np.random.default_rng(1)
    uv = draw.random((len(mesh.vertices), 2), np.float32)
    textures = tuple(draw.integers(0, 256, (size, 4, 3), np.uint8) for size in (4, 8))
    texture = np.arange(len(mesh.faces), dtype=np.int32) % 3 - 1
    mesh = replace(mesh, uv=uv, texture=texture, textures=textures)
    glb.save(mesh, tmp_path / "mesh.glb")
    back = glb.load(tmp_path / "mesh.glb")
    place = {len(found): index for index, found in enumerate(back.textures)} | {0: -1}  # by their heights
    for index, height in ((-1, 0), (0, 4), (1, 8)):
        one, other = mesh.faces[mesh.texture == index], back.faces[back.texture == place[height]]
        np.testing.assert_allclose(back.vertices[other], mesh.vertices[one], atol=1e-6)
        np.testing.assert_array_equal(back.colours[other], mesh.colours[one])
        if index >= 0:
            np.testing.assert_array_equal(back.textures[place[height]], textures[index])
            np.testing.assert_allclose(back.uv[other], uv[one], atol=1e-6)


def test_stored_axes_are_gltf_s(tmp_path):
    glb.save(_mesh(), tmp_path / "mesh.glb")
    content = (tmp_path / "mesh.glb").read_bytes()
    length = struct.unpack("<I", content[12:16])[0]
    tree = json.loads(content[20 : 20 + length])
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
