"""The kinds of meshes' files, and what a file may not tell: its axes, what its colors are. Torch-free."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Up = Literal["y", "z"]
Front = Literal["x", "-x", "y", "-y", "z", "-z"]
VertexColors = Literal["auto", "linear", "srgb"]  # what glTF's COLOR_0 is taken for

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")
FRONTS: dict[Up, Front] = {"y": "z", "z": "x"}  # of files that don't tell: glTF's, and our world's


def up_of(suffix: str) -> Up:
    """The axis that points up in files of this kind: y in glTF, by its standard; z in others, as T3Bench takes them."""
    return "y" if suffix in (".glb", ".gltf") else "z"


def to_world(up: Up, front: Front | None) -> NDArray[np.float64]:
    """The rotation (3, 3) from a file's axes to the world's, z up and x front; ValueError if `front` is up or down."""
    forwards, upwards = _axis(front or FRONTS[up]), _axis(up)
    if forwards @ upwards:
        raise ValueError(f"the front cannot be {front} where {up} is up")
    return np.stack([forwards, np.cross(upwards, forwards), upwards])


def _axis(name: str) -> NDArray[np.float64]:
    return np.eye(3)["xyz".index(name[-1])] * (-1.0 if name[0] == "-" else 1.0)
