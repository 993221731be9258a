"""glTF 2.0 files, binary or not: the triangles of a scene's nodes, and their base colours.

Read are sparse and quantised accessors, skins and morph targets in the pose that the file's nodes have, instances, any
set of texture coordinates and its `KHR_texture_transform`, samplers, alpha masks, images in buffers, data URIs and
files, and the older materials of `KHR_materials_pbrSpecularGlossiness`. A file that requires an extension which would
change its shape, compression among them, is refused.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count, takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jsdpipe.config.axes import VertexColors
from jsdpipe.mesh.parts import GREY, Part, fans, shades
from jsdpipe.mesh.readers.colours import SEE_THROUGH, TAKEN_AS_1
from jsdpipe.mesh.readers.files import Notes
from jsdpipe.mesh.readers.gltf_file import File, Tree
from jsdpipe.mesh.readers.gltf_materials import Material, material
from jsdpipe.mesh.readers.gltf_scene import Drawn, drawn
from jsdpipe.mesh.srgb import from_linear

STORE_SRGB = ("trimesh",)  # in the names of makers whose COLOR_0 is sRGB
TRIANGLES, STRIP, FAN = 4, 5, 6


def parts(path: Path, notes: Notes, vertex_colors: VertexColors = "auto") -> Iterator[Part]:
    """A part a primitive of each node with a mesh; COLOR_0 is linear light, or sRGB, if its maker is known for that."""
    file = File(path, notes)
    if file.tree.get("extensions", {}).get("KHR_lights_punctual", {}).get("lights"):
        notes.say("has lights, which are left out")
    materials = cache(lambda index: material(file, index))
    for of in drawn(file):
        for primitive in of.mesh["primitives"]:
            if primitive.get("mode", TRIANGLES) not in (TRIANGLES, STRIP, FAN):
                notes.say("has points or lines, which are left out")
            elif "POSITION" in primitive["attributes"]:  # without it, glTF says, a primitive is to be skipped
                index = primitive.get("material")
                yield from _parts(file, of, primitive, None if index is None else materials(index), vertex_colors)


def _parts(file: File, of: Drawn, primitive: Tree, painted: Material | None, meant: VertexColors) -> Iterator[Part]:
    """The parts of a primitive, one a place; none if all of it is cut away."""

    def values(name: str, shares: bool = False) -> NDArray[np.float64] | None:
        """An attribute with what its morph targets add to it; None if there is none."""
        if name not in primitive["attributes"]:
            return None
        total = file.floats(primitive["attributes"][name], shares)
        for weight, target in zip(of.weights, primitive.get("targets", ()), strict=False):
            if weight and name in target:
                total = total + weight * file.floats(target[name], shares)
        return total

    material, own = painted or Material(), values("COLOR_0", shares=True)
    stored = None if own is None else _as_srgb(file, own[:, :3], meant)
    factor = None if material.factor is None else _stored(material.factor[:3])
    missing = painted is None or (material.said and material.pixels is None)
    colours = shades(GREY if missing and stored is None and factor is None else stored, factor)
    uv, texture = None if material.pixels is None else values(material.coordinates), None
    alphas = _alphas(file.notes, material, own)
    if uv is not None:
        uv, texture = _moved(uv, material.moved), material.texture(float(alphas.max(initial=0)))
    elif material.pixels is not None:
        file.notes.say("has textures without coordinates, which are left out")
    if alphas.max(initial=0) < material.cutoff or (uv is not None and texture is None):
        return
    faces = _faces(file, primitive)
    for vertices in _placed(of, values):
        yield Part(vertices, faces, colours, uv, texture)


def _as_srgb(file: File, own: NDArray[np.float64], meant: VertexColors) -> NDArray[np.float64]:
    """The values of a COLOR_0 (N, 3) as sRGB."""
    why = "as the setting vertex_colors says"
    if meant == "auto":
        maker = str(file.tree["asset"].get("generator", ""))
        known = any(name in maker for name in STORE_SRGB)
        meant, why = ("srgb", f"as {maker} stores them") if known else ("linear", "as glTF means them")
    file.notes.say(f"has vertex colours, which are taken as {'sRGB' if meant == 'srgb' else 'linear light'}, {why}")
    if np.nan_to_num(own).max(initial=0) > 1:
        file.notes.say(TAKEN_AS_1)
    return own if meant == "srgb" else _stored(own)


def _stored(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light of any values as sRGB."""
    return from_linear(np.nan_to_num(light).clip(0, 1))


def _alphas(notes: Notes, material: Material, own: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The alphas (N or 1,) by which those of a texture are multiplied; what of them is left out is noted."""
    alphas = np.ones(1) if own is None or own.shape[1] < 4 else own[:, 3]
    if material.factor is not None:
        alphas = alphas * material.factor[3:].prod()
    if material.blended and (alphas.min(initial=1) < 1 or material.clear):
        notes.say(SEE_THROUGH)
    if material.cutoff > 0 and np.ptp(alphas) > 0:
        notes.say("has vertices of unlike alpha, by which something is cut away; this is left out")
    return alphas


def _faces(file: File, primitive: Tree) -> NDArray[np.int64]:
    """A primitive's triangles (F, 3)."""
    if "indices" in primitive:
        corners = file.array(primitive["indices"])[:, 0].astype(np.int64)
    else:
        corners = np.arange(file.tree["accessors"][primitive["attributes"]["POSITION"]]["count"])
    mode = primitive.get("mode", TRIANGLES)
    if mode == STRIP:
        return np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    return fans(corners[None]) if mode == FAN else corners.reshape(-1, 3)


def _placed(of: Drawn, values: Callable[..., NDArray[np.float64] | None]) -> Iterator[NDArray[np.float64]]:
    """A primitive's vertices (V, 3) at each of its places; `values` gives its attributes."""
    vertices = values("POSITION")
    assert vertices is not None
    joints, weights = _sets(values, "JOINTS"), _sets(values, "WEIGHTS", shares=True)
    with np.errstate(invalid="ignore"):  # of vertices that no face uses, perhaps
        if of.joints is None or joints is None or weights is None:
            yield from (vertices @ place[:3, :3].T + place[:3, 3] for place in of.places)
        else:
            yield _posed(vertices, of.joints, joints.astype(np.int64), weights)


def _sets(
    values: Callable[..., NDArray[np.float64] | None], name: str, shares: bool = False
) -> NDArray[np.float64] | None:
    """All the sets of an attribute, `<name>_0`, `<name>_1` and so on, side by side; None if there is none."""
    sets = list(takewhile(lambda of: of is not None, (values(f"{name}_{at}", shares) for at in count())))
    return np.concatenate(sets, axis=1) if sets else None  # type: ignore[arg-type]


def _posed(
    vertices: NDArray[np.float64],
    matrices: NDArray[np.float64],
    joints: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Vertices (V, 3), each moved by the mean of its joints' matrices (V, K of J, 4, 4), weighted by (V, K)."""
    total = weights.sum(axis=1, keepdims=True)
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1), np.eye(1, weights.shape[1]))
    moved = np.zeros_like(vertices)
    for of, weight in zip(joints.T, weights.T, strict=True):
        turned = np.einsum("vij,vj->vi", matrices[of, :3, :3], vertices)
        moved += weight[:, None] * (turned + matrices[of, :3, 3])
    return moved


def _moved(stored: NDArray[np.float64], moved: Tree) -> NDArray[np.float64]:
    """Texture coordinates (N, 2), v upwards, from stored ones, v downwards: scaled, turned, shifted."""
    cos, sin = np.cos(moved.get("rotation", 0.0)), np.sin(moved.get("rotation", 0.0))
    turn = np.array([[cos, sin], [-sin, cos]])  # counter-clockwise, as seen where v points down
    uv = (stored * moved.get("scale", (1, 1))) @ turn.T + moved.get("offset", (0, 0))
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
