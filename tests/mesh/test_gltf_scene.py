"""What places a glTF's triangles beside its nodes: joints, morph targets and instances."""

import base64
import json

import numpy as np
import pytest
from mesh_files import CORNERS, gltf

from jsdpipe.mesh.reading import read

TURN = [0, 0, np.sqrt(0.5), np.sqrt(0.5)]  # a quarter about z: (x, y) to (-y, x)
TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
COMPONENTS = {"uint8": 5121, "uint16": 5123, "float32": 5126}


def extended(path, change):
    """The file with its JSON changed by `change(tree, add)`; `add` stores an array and gives its accessor."""
    tree = json.loads(path.read_text())

    def add(values, normalized=False):
        uri = "data:;base64," + base64.b64encode(values.tobytes()).decode()
        tree["buffers"].append({"uri": uri, "byteLength": values.nbytes})
        tree["bufferViews"].append({"buffer": len(tree["buffers"]) - 1, "byteLength": values.nbytes})
        tree["accessors"].append(
            {
                "bufferView": len(tree["bufferViews"]) - 1, "count": len(values), "type": TYPES[values.shape[1]],
                "componentType": COMPONENTS[str(values.dtype)], "normalized": normalized,
            }
        )  # fmt: skip
        return len(tree["accessors"]) - 1

    change(tree, add)
    path.write_text(json.dumps(tree))
    return path


def skinned(path, joints, weights, more=None, normalized=False):
    """The two triangles on two joints: one at (10, 0, 0), bound at (1, 0, 0), one turned below it."""

    def change(tree, add):
        tree["nodes"] = [
            {"mesh": 0, "skin": 0, "translation": [100, 100, 100]},  # which counts for nothing
            {"translation": [10, 0, 0], "children": [2]},  # in no scene
            {"rotation": TURN},
        ]
        binds = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
        binds[0, 3, :3] = (-1, 0, 0)  # of columns
        tree["skins"] = [{"joints": [1, 2], "inverseBindMatrices": add(binds.reshape(2, 16))}]
        attributes = tree["meshes"][0]["primitives"][0]["attributes"]
        attributes |= {"JOINTS_0": add(joints), "WEIGHTS_0": add(weights, normalized)}
        for name, values in (more or {}).items():
            attributes[name] = add(values)

    return extended(gltf(path), change)


JOINTS = np.array([[0, 1, 0, 0]] * 4, np.uint8)
FIRST, SECOND = CORNERS + np.array((9, 0, 0)), np.stack([10 - CORNERS[:, 1], CORNERS[:, 0], CORNERS[:, 2]], axis=1)


@pytest.mark.parametrize(
    ("weights", "normalized", "expected"),
    [
        (np.tile(np.float32([1, 0, 0, 0]), (4, 1)), False, FIRST),
        (np.tile(np.float32([0, 1, 0, 0]), (4, 1)), False, SECOND),
        (np.tile(np.float32([0.5, 1.5, 0, 0]), (4, 1)), False, FIRST / 4 + SECOND * 3 / 4),  # of any sum
        (np.tile(np.array([51, 204, 0, 0], np.uint8), (4, 1)), True, FIRST / 5 + SECOND * 4 / 5),
        (np.zeros((4, 4), np.float32), False, FIRST),  # as three.js
    ],
)
def test_joints_alone_place_a_skin(tmp_path, weights, normalized, expected):
    path = skinned(tmp_path / "a.gltf", JOINTS, weights, normalized=normalized)
    np.testing.assert_allclose(read(path, up="z").vertices, expected, atol=1e-6)


def test_a_skin_may_have_more_than_four_joints_a_vertex(tmp_path):
    quarter = np.full((4, 4), (0.25, 0, 0, 0), np.float32)
    more = {"JOINTS_1": np.ones((4, 4), np.uint8), "WEIGHTS_1": 3 * quarter}
    path = skinned(tmp_path / "a.gltf", JOINTS, quarter, more)
    np.testing.assert_allclose(read(path, up="z").vertices, FIRST / 4 + SECOND * 3 / 4, atol=1e-6)


@pytest.mark.parametrize(
    ("of_mesh", "of_node", "expected"),
    [
        ([0.5, 0], None, CORNERS + np.array((0, 0, 1))),
        ([0.5, 0], [0, 2], CORNERS * (3, 1, 1)),  # a node's own weights stand in the place of its mesh's
        ([1, -1], None, CORNERS * (0, 1, 1) + np.array((0, 0, 2))),
        (None, None, CORNERS),
    ],
)
def test_morph_targets_have_the_weights_of_the_file(tmp_path, of_mesh, of_node, expected):
    def change(tree, add):
        up, wide = np.full((4, 3), (0, 0, 2), np.float32), (CORNERS * (1, 0, 0)).astype(np.float32)
        tree["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": add(up)}, {"POSITION": add(wide)}]
        tree["meshes"][0] |= {} if of_mesh is None else {"weights": of_mesh}
        tree["nodes"][0] |= {} if of_node is None else {"weights": of_node}

    surface = read(extended(gltf(tmp_path / "a.gltf"), change), up="z")
    np.testing.assert_allclose(surface.vertices[surface.faces], expected[np.array([[0, 1, 2], [0, 2, 3]])])


@pytest.mark.parametrize("required", [True, False])
def test_instances_are_drawn_each(tmp_path, required):
    def change(tree, add):
        attributes = {
            "TRANSLATION": add(np.float32([[10, 0, 0], [20, 0, 0]])),
            "ROTATION": add(np.float32([[0, 0, 0, 1], TURN])),
            "SCALE": add(np.float32([[1, 1, 1], [2, 2, 2]])),
        }
        tree["nodes"] = [
            {"mesh": 0, "translation": [0, 0, 5], "extensions": {"EXT_mesh_gpu_instancing": {"attributes": attributes}}}
        ]
        if required:
            tree["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]

    x, y, z = CORNERS.T
    second = np.stack([20 - 2 * y, 2 * x, 2 * z + 5], axis=1)
    surface = read(extended(gltf(tmp_path / "a.gltf"), change), up="z")
    np.testing.assert_allclose(surface.vertices, np.concatenate([CORNERS + np.array((10, 0, 5)), second]), atol=1e-5)
