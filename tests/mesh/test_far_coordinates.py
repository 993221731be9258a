"""Meshes at map coordinates (UTM, millions of metres) are those at the origin, in any kind of file."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from pictures import views

from jsdpipe.config.run_config import QualityRig
from jsdpipe.mesh import glb
from jsdpipe.mesh.external import convert_one
from jsdpipe.render import rigs

UTM = np.array([455_123.25, 5_412_345.5, 210.75])
CAMERAS = rigs.quality_cameras(QualityRig(subdivision=0, radius=2.2, fovy_deg=[45.0]))


def obj(path, vertices, faces):
    rows = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
    path.write_text("\n".join([*rows, *(f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces)]) + "\n")


def ply(path, vertices, faces):
    rows = np.zeros(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, faces
    properties = "".join(f"property double {axis}\n" for axis in "xyz")
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\n{properties}"
    header += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    path.write_bytes(header.encode() + vertices.astype("<f8").tobytes() + rows.tobytes())


def stl(path, vertices, faces):
    lines = ["solid far"]
    for corners in vertices[faces].tolist():
        lines += ["facet normal 0 0 0", "outer loop", *("vertex {!r} {!r} {!r}".format(*at) for at in corners)]
        lines += ["endloop", "endfacet"]
    path.write_text("\n".join([*lines, "endsolid far", ""]))


def gltf(path, vertices, faces):
    """The shape in single precision, its place in a node's, which is double."""
    middle = vertices.mean(axis=0).round()
    arrays = (vertices - middle).astype("<f4"), faces.astype("<u4").ravel()
    uris = ["data:;base64," + base64.b64encode(array.tobytes()).decode() for array in arrays]
    tree = {
        "asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0, "translation": middle.tolist()}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": 3 * len(faces), "type": "SCALAR"},
        ],
        "bufferViews": [{"buffer": at, "byteLength": array.nbytes} for at, array in enumerate(arrays)],
        "buffers": [{"uri": uri, "byteLength": array.nbytes} for uri, array in zip(uris, arrays, strict=True)],
    }  # fmt: skip
    path.write_text(json.dumps(tree))


KINDS = {"obj": obj, "ply": ply, "stl": stl, "gltf": gltf}


def pictures(folder, vertices, faces, kind):
    folder.mkdir()
    file = folder / f"a.{kind}"
    KINDS[kind](file, vertices, faces)
    reason, _ = convert_one(folder, None, "code", file, "z", None, require_materials=True)
    assert reason is None
    surface = glb.load(folder / "mesh.glb")
    placed = rigs.place_for_t3bench(surface)
    told = replace(placed, colors=(150 + 100 * placed.vertices).astype(np.uint8))  # colors that tell places
    return surface, np.stack(views(told, CAMERAS, 64))


@pytest.mark.parametrize("kind", KINDS)
def test_a_ball_at_map_coordinates_is_the_ball(tmp_path, kind):
    """Of coordinates that are exact there in double precision: the same bytes."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=5.0)
    vertices = np.round(ball.vertices * 2**16) / 2**16
    near, far = (pictures(tmp_path / name, vertices + at, ball.faces, kind) for name, at in (("o", 0), ("utm", UTM)))
    assert np.array_equal(near[0].vertices, far[0].vertices) and np.array_equal(near[1], far[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_cube_of_a_metre_there_is_a_cube(tmp_path, kind):
    cube = trimesh.creation.box((1.0, 1.0, 1.0))
    surface, _ = pictures(tmp_path / "a", cube.vertices + 5.4e6, cube.faces, kind)
    assert np.array_equal(np.unique(np.abs(surface.vertices)), [0.5]) and len(surface.vertices) == 8
