"""glTF 2.0 files, binary or not: the triangles of a scene's nodes, and their base colors.

It supports sparse and quantised accessors, skins and morph targets in the pose of the file's nodes, instances, any set
of texture coordinates with `KHR_texture_transform`, samplers, alpha masks, images in buffers, data URIs and files, and
the older `KHR_materials_pbrSpecularGlossiness`. It refuses files that require any other extension that could change
the shape, such as compression.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count, takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.axes import VertexColors
from jsdpipe.mesh.readers.base import CLIPPED, GREY, SEE_THROUGH, Notes, Part, base_colors, triangulate
from jsdpipe.mesh.readers.gltf_file import File, Tree
from jsdpipe.mesh.readers.gltf_materials import Material, material
from jsdpipe.mesh.readers.gltf_scene import Drawn, drawn
from jsdpipe.mesh.srgb import from_linear

STORE_SRGB = ("trimesh",)  # generators that store sRGB in COLOR_0
TRIANGLES, STRIP, FAN = 4, 5, 6


def parts(path: Path, notes: Notes, vertex_colors: VertexColors = "auto") -> Iterator[Part]:
    """Read a part per primitive of each node with a mesh.

    `vertex_colors` says how COLOR_0 is stored: "linear", "srgb", or "auto", which goes by the file's generator.
    """
    file = File(path, notes)
    if file.tree.get("extensions", {}).get("KHR_lights_punctual", {}).get("lights"):
        notes.add("has lights, which are left out")
    materials = cache(lambda index: material(file, index))
    for of in drawn(file):
        for primitive in of.mesh["primitives"]:
            if primitive.get("mode", TRIANGLES) not in (TRIANGLES, STRIP, FAN):
                notes.add("has points or lines, which are left out")
            elif "POSITION" in primitive["attributes"]:  # glTF says to skip primitives without it
                index = primitive.get("material")
                yield from _parts(file, of, primitive, None if index is None else materials(index), vertex_colors)


def _parts(file: File, of: Drawn, primitive: Tree, painted: Material | None, meant: VertexColors) -> Iterator[Part]:
    """Build a part of a primitive at each of its places; none if its alpha mask cuts all of it away."""

    def values(name: str, unit: bool = False) -> NDArray[np.float64] | None:
        """Read an attribute and add its weighted morph targets; None if the primitive has no such attribute."""
        if name not in primitive["attributes"]:
            return None
        total = file.floats(primitive["attributes"][name], unit)
        for weight, target in zip(of.weights, primitive.get("targets", ()), strict=False):
            if weight and name in target:
                total = total + weight * file.floats(target[name], unit)
        return total

    material, own = painted or Material(), values("COLOR_0", unit=True)
    stored = None if own is None else _vertex_srgb(file, own[:, :3], meant)
    factor = None if material.factor is None else _encode(material.factor[:3])
    missing = painted is None or (material.info and material.pixels is None)
    colors = base_colors(GREY if missing and stored is None and factor is None else stored, factor)
    uv, texture = None if material.pixels is None else values(material.coordinates), None
    alphas = _alphas(file.notes, material, own)
    if uv is not None:
        uv, texture = _transform(uv, material.transform), material.texture(float(alphas.max(initial=0)))
    elif material.pixels is not None:
        file.notes.add("has textures without coordinates, which are left out")
    if alphas.max(initial=0) < material.cutoff or (uv is not None and texture is None):
        return
    faces = _faces(file, primitive)
    for vertices in _placed(of, values):
        yield Part(vertices, faces, colors, uv, texture)


def _vertex_srgb(file: File, own: NDArray[np.float64], meant: VertexColors) -> NDArray[np.float64]:
    """Convert the values of COLOR_0 (N, 3) to sRGB."""
    why = "as the setting vertex_colors says"
    if meant == "auto":
        maker = str(file.tree["asset"].get("generator", ""))
        known = any(name in maker for name in STORE_SRGB)
        meant, why = ("srgb", f"as {maker} stores them") if known else ("linear", "as glTF means them")
    file.notes.add(f"has vertex colors, which are taken as {'sRGB' if meant == 'srgb' else 'linear light'}, {why}")
    if np.nan_to_num(own).max(initial=0) > 1:
        file.notes.add(CLIPPED)
    return own if meant == "srgb" else _encode(own)


def _encode(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clip linear light to [0, 1] and encode it as sRGB."""
    return from_linear(np.nan_to_num(light).clip(0, 1))


def _alphas(notes: Notes, material: Material, own: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The factors (N or 1,) of a texture's alphas; notes the alphas that are ignored."""
    alphas = np.ones(1) if own is None or own.shape[1] < 4 else own[:, 3]
    if material.factor is not None:
        alphas = alphas * material.factor[3:].prod()
    if material.blended and (alphas.min(initial=1) < 1 or material.transparent):
        notes.add(SEE_THROUGH)
    if material.cutoff > 0 and np.ptp(alphas) > 0:
        notes.add("has an alpha mask and vertices of different alpha, which the mask ignores")
    return alphas


def _faces(file: File, primitive: Tree) -> NDArray[np.int64]:
    """Read a primitive's triangles (F, 3)."""
    if "indices" in primitive:
        corners = file.array(primitive["indices"])[:, 0].astype(np.int64)
    else:
        corners = np.arange(file.tree["accessors"][primitive["attributes"]["POSITION"]]["count"])
    mode = primitive.get("mode", TRIANGLES)
    if mode == STRIP:
        return np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    return triangulate(corners[None]) if mode == FAN else corners.reshape(-1, 3)


def _placed(of: Drawn, values: Callable[..., NDArray[np.float64] | None]) -> Iterator[NDArray[np.float64]]:
    """Yield a primitive's vertices (V, 3) in world axes at each of its places; `values` reads its attributes."""
    vertices = values("POSITION")
    assert vertices is not None
    joints, weights = _sets(values, "JOINTS"), _sets(values, "WEIGHTS", unit=True)
    with np.errstate(invalid="ignore"):  # vertices that no face uses may be NaN
        if of.joints is None or joints is None or weights is None:
            yield from (vertices @ place[:3, :3].T + place[:3, 3] for place in of.places)
        else:
            yield _posed(vertices, of.joints, joints.astype(np.int64), weights)


def _sets(
    values: Callable[..., NDArray[np.float64] | None], name: str, unit: bool = False
) -> NDArray[np.float64] | None:
    """Concatenate an attribute's sets, `<name>_0`, `<name>_1` and so on, along axis 1; None if there is none."""
    sets = list(takewhile(lambda of: of is not None, (values(f"{name}_{at}", unit) for at in count())))
    return np.concatenate(sets, axis=1) if sets else None  # type: ignore[arg-type]


def _posed(
    vertices: NDArray[np.float64],
    matrices: NDArray[np.float64],
    joints: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Linear blend skinning.

    Args:
        vertices: (V, 3).
        matrices: of all J joints, (J, 4, 4).
        joints: the K joints of each vertex, (V, K).
        weights: their weights, (V, K); they are normalized.
    """
    total = weights.sum(axis=1, keepdims=True)
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1), np.eye(1, weights.shape[1]))
    moved = np.zeros_like(vertices)
    for of, weight in zip(joints.T, weights.T, strict=True):
        turned = np.einsum("vij,vj->vi", matrices[of, :3, :3], vertices)
        moved += weight[:, None] * (turned + matrices[of, :3, 3])
    return moved


def _transform(stored: NDArray[np.float64], transform: Tree) -> NDArray[np.float64]:
    """Apply `KHR_texture_transform` to stored coordinates (N, 2), v downwards; returns them with v upwards."""
    cos, sin = np.cos(transform.get("rotation", 0.0)), np.sin(transform.get("rotation", 0.0))
    turn = np.array([[cos, sin], [-sin, cos]])  # counter-clockwise where v points down
    uv = (stored * transform.get("scale", (1, 1))) @ turn.T + transform.get("offset", (0, 0))
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
