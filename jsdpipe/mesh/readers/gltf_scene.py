"""The meshes of a glTF file's scene, placed by nodes, joints and instances."""

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
    """A node's mesh.

    Args:
        mesh: its JSON.
        places: matrices (4, 4) to the world; the mesh is drawn at each.
        joints: matrices (J, 4, 4) of the skin, if there is one; `places` are then ignored, as glTF demands.
        weights: of the morph targets.
    """

    mesh: Tree
    places: Sequence[Matrix]
    joints: Matrix | None
    weights: Sequence[float]


def drawn(file: File) -> Iterator[Drawn]:
    """Yield the meshes of the scene's nodes, in the nodes' order."""
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
        """Yield nodes, each followed by its descendants."""
        for index in indices:
            yield index
            yield from self.below(self._nodes[index].get("children", []))

    def place(self, index: int) -> Matrix:
        """The matrix from a node to the world, whether or not it is in a scene."""
        if index not in self._places:
            own, above = _own(self._nodes[index]), self._above.get(index)
            self._places[index] = own if above is None else self.place(above) @ own
        return self._places[index]


def _own(node: Tree) -> Matrix:
    """The matrix from a node to its parent."""
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
    """Yield the matrices of `EXT_mesh_gpu_instancing`."""
    given = {key: file.floats(attributes[key.upper()]) for key in REST if key.upper() in attributes}
    for at in range(min(map(len, given.values()), default=0)):
        yield _matrix(*(given[key][at] if key in given else rest for key, rest in REST.items()))
