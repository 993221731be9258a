"""Kinds of mesh files, and what a file may not state: its axes and the color space of its vertices. Torch-free."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Up = Literal["y", "z"]
Front = Literal["x", "-x", "y", "-y", "z", "-z"]
VertexColors = Literal["auto", "linear", "srgb"]  # how glTF's COLOR_0 is read

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")
FRONTS: dict[Up, Front] = {"y": "z", "z": "x"}  # defaults by the upward axis: glTF's, and our world's


def up_of(suffix: str) -> Up:
    """The upward axis of a kind of file: y for glTF, as its standard says; z for others, as in T3Bench."""
    return "y" if suffix in (".glb", ".gltf") else "z"


def to_world(up: Up, front: Front | None) -> NDArray[np.float64]:
    """The rotation (3, 3) from a file's axes to the world's, z up and x front; ValueError if `front` is up or down."""
    forwards, upwards = _axis(front or FRONTS[up]), _axis(up)
    if forwards @ upwards:
        raise ValueError(f"the front cannot be {front} where {up} is up")
    return np.stack([forwards, np.cross(upwards, forwards), upwards])


def _axis(name: str) -> NDArray[np.float64]:
    return np.eye(3)["xyz".index(name[-1])] * (-1.0 if name[0] == "-" else 1.0)
