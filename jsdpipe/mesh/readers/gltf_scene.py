"""The meshes of a glTF's scene, and what places them: nodes, joints, instances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trimesh.transformations import quaternion_matrix

from jsdpipe.mesh.readers.gltf_file import File, Tree

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """A mesh where a node draws it: once a matrix (4, 4) of `places`.

    `joints` (J, 4, 4) move the vertices of a skin, whose own node counts for nothing. `weights` are those of the
    morph targets.
    """

    mesh: Tree
    places: Sequence[Matrix]
    joints: Matrix | None
    weights: Sequence[float]


def drawn(file: File) -> Iterator[Drawn]:
    """The meshes of the scene's nodes, in the order of these."""
    tree = file.tree
    nodes = _Nodes(tree)
    for index in nodes.below(tree.get("scenes", [{}])[tree.get("scene", 0)].get("nodes", [])):
        node = tree["nodes"][index]
        if "mesh" not in node:
            continue
        mesh, places, joints = tree["meshes"][node["mesh"]], [nodes.place(index)], None
        if "skin" in node:
            skin = tree["skins"][node["skin"]]
            joints = np.array([nodes.place(joint) for joint in skin["joints"]])
            if "inverseBindMatrices" in skin:
                joints = joints @ file.floats(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        if instances := node.get("extensions", {}).get("EXT_mesh_gpu_instancing"):
            places = [places[0] @ instance for instance in _instances(file, instances["attributes"])]
        yield Drawn(mesh, places, joints, node.get("weights", mesh.get("weights", ())))


class _Nodes:
    """A file's nodes as a forest."""

    def __init__(self, tree: Tree) -> None:
        self._nodes = tree.get("nodes", [])
        self._above = {child: at for at, node in enumerate(self._nodes) for child in node.get("children", [])}
        self._places: dict[int, Matrix] = {}

    def below(self, indices: Sequence[int]) -> Iterator[int]:
        """Nodes, each followed by all that are below it."""
        for index in indices:
            yield index
            yield from self.below(self._nodes[index].get("children", []))

    def place(self, index: int) -> Matrix:
        """The matrix from a node to the world, be it in a scene or not."""
        if index not in self._places:
            own, above = _own(self._nodes[index]), self._above.get(index)
            self._places[index] = own if above is None else self.place(above) @ own
        return self._places[index]


def _own(node: Tree) -> Matrix:
    """The matrix from a node to the one above it."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    return _matrix(*(node.get(key, rest) for key, rest in REST.items()))


REST: dict[str, Sequence[float]] = {"translation": (0, 0, 0), "rotation": (0, 0, 0, 1), "scale": (1, 1, 1)}


def _matrix(translation: Sequence[float], rotation: Sequence[float], scale: Sequence[float]) -> Matrix:
    x, y, z, w = rotation
    matrix: Matrix = quaternion_matrix((w, x, y, z))
    matrix[:3, :3] *= scale
    matrix[:3, 3] = translation
    return matrix


def _instances(file: File, attributes: dict[str, Any]) -> Iterator[Matrix]:
    """The matrices of `EXT_mesh_gpu_instancing`."""
    given = {key: file.floats(attributes[key.upper()]) for key in REST if key.upper() in attributes}
    for at in range(min(map(len, given.values()), default=0)):
        yield _matrix(*(given[key][at] if key in given else rest for key, rest in REST.items()))
