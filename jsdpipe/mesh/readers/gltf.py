"""glTF 2.0 files, binary or not: the triangles of a scene's nodes, and their base colours.

Read are sparse and quantised accessors, any set of texture coordinates and its `KHR_texture_transform`, images in
buffers, data URIs and files, and the older materials of `KHR_materials_pbrSpecularGlossiness`. A file that requires an
extension which would change its shape, compression among them, is refused. Skins and morph targets are left at rest.
"""

import struct
from base64 import b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from trimesh.transformations import quaternion_matrix
from trimesh.visual.gloss import specular_to_pbr

from jsdpipe.mesh.parts import GREY, Part, fans, shades
from jsdpipe.mesh.readers.files import BadMesh, Notes, named_bytes, named_picture, picture
from jsdpipe.mesh.readers.names import gltf_tree
from jsdpipe.mesh.srgb import from_linear

GENERATOR = "jsdpipe"  # as our own files call their maker
UNLIT = "KHR_materials_unlit"

# what a file may require: quantisation, and what does not change shapes (an image that is needed must be one)
READ = ("KHR_mesh_quantization", "KHR_texture_", "EXT_texture_", "KHR_materials_", "KHR_lights_")
TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
TRIANGLES, STRIP, FAN = 4, 5, 6
Tree = dict[str, Any]


def parts(path: Path, notes: Notes) -> Iterator[Part]:
    """A part a primitive of each node with a mesh."""
    file = _File(path, notes)
    scene = file.tree.get("scenes", [{}])[file.tree.get("scene", 0)]
    for mesh, place in _meshes(file.tree, scene.get("nodes", []), np.eye(4)):
        for primitive in file.tree["meshes"][mesh]["primitives"]:
            if primitive.get("mode", TRIANGLES) in (TRIANGLES, STRIP, FAN):  # and not points or lines
                yield _part(file, primitive, place)


class _File:
    """A file's JSON, `tree`, and what it refers to."""

    def __init__(self, path: Path, notes: Notes) -> None:
        with path.open("rb") as stream:
            self.tree: Tree = gltf_tree(stream)
            chunk = stream.read()
        version = str(self.tree["asset"]["version"])
        if not version.startswith("2."):
            raise BadMesh(f"is glTF {version}, of which only 2.0 is read")
        needed = [name for name in self.tree.get("extensionsRequired", []) if not name.startswith(READ)]
        if needed:
            raise BadMesh(f"requires {', '.join(needed)}, which is not read; export it without")
        self._folder, self._notes = path.parent, notes
        self._binary = b""
        if chunk:
            length, _ = struct.unpack("<I4s", chunk[:8])
            self._binary = chunk[8 : 8 + length]
            if len(self._binary) < length:
                raise BadMesh("is cut short")
        self._buffers = [self._content(buffer) for buffer in self.tree.get("buffers", [])]
        self._colours: dict[int, tuple[Any, Any, Tree]] = {}

    def array(self, accessor: int) -> NDArray[Any]:
        """An accessor's values (N, width), as stored."""
        of = self.tree["accessors"][accessor]
        count, width, sparse = of["count"], WIDTHS[of["type"]], of.get("sparse")
        if "bufferView" in of:
            values = self._rows(of, count, width, of["componentType"])
        elif sparse:
            values = np.zeros((count, width), TYPES[of["componentType"]])
        else:
            raise BadMesh(f"its accessor {accessor} holds no data")
        if sparse:
            values = values.copy()
            indices = self._rows(sparse["indices"], sparse["count"], 1, sparse["indices"]["componentType"])[:, 0]
            values[indices] = self._rows(sparse["values"], sparse["count"], width, of["componentType"])
        return values

    def floats(self, accessor: int) -> NDArray[np.float64]:
        """As `array`, whole numbers that stand for [0, 1] or [-1, 1] as those."""
        values = self.array(accessor)
        if self.tree["accessors"][accessor].get("normalized") and values.dtype.kind in "iu":
            return np.maximum(values / np.iinfo(values.dtype).max, -1)
        return values.astype(np.float64)

    def vertex_colours(self, accessor: int) -> NDArray[Any]:
        """The values of a COLOR_0 (N, 3 or 4) as sRGB, floats in [0, 1] or unsigned integers.

        glTF means linear light, but many programs store sRGB; so only our own files are taken at glTF's word.
        """
        if self.tree["asset"].get("generator") != GENERATOR:
            return self.array(accessor)
        return from_linear(self.floats(accessor))

    def colours(self, material: int) -> tuple[Any, NDArray[np.uint8] | None, Tree]:
        """A material's base colour (3 or 4), or None, its texture (H, W, 3), or None, and what is said of that."""
        if material not in self._colours:
            of = self.tree["materials"][material]
            if any(of.get("emissiveFactor", ())):
                self._notes.say("has materials that emit light, which is left out")
            glossy = of.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
            self._colours[material] = self._metallic(of) if glossy is None else self._glossy(glossy)
        return self._colours[material]

    def _metallic(self, material: Tree) -> tuple[Any, NDArray[np.uint8] | None, Tree]:
        of = material.get("pbrMetallicRoughness", {})
        said = of.get("baseColorTexture")
        return of.get("baseColorFactor"), said and self._texture(said), said or {}

    def _glossy(self, of: Tree) -> tuple[Any, NDArray[np.uint8] | None, Tree]:
        names = ("diffuseTexture", "specularGlossinessTexture")
        textures = {name: self._texture(of[name]) for name in names if name in of}
        images: Tree = {name: Image.fromarray(of).convert("RGBA") for name, of in textures.items() if of is not None}
        numbers = ("diffuseFactor", "specularFactor", "glossinessFactor")
        base: Tree = specular_to_pbr(**images, **{name: of[name] for name in numbers if name in of})
        texture = base.get("baseColorTexture")
        said: Tree = next((of[name] for name in names if name in of), {})
        return base.get("baseColorFactor"), texture and np.asarray(texture.convert("RGB")), said

    def _texture(self, said: Tree) -> NDArray[np.uint8] | None:
        """A texture (H, W, 3); None if it names a picture that is not there."""
        of = self.tree["textures"][said["index"]]
        others = of.get("extensions", {})
        source = others.get("EXT_texture_webp", of).get("source")
        if source is None:
            raise BadMesh(f"its texture {said['index']} is of a kind that is not read ({', '.join(others)})")
        image = self.tree["images"][source]
        name = image.get("uri", "data:")
        if not name.startswith("data:"):
            return named_picture(self._folder, name, self._notes)
        kind = image.get("mimeType", "of a kind that is not stated")
        return picture(self._content(image), f"holds image {source}, {kind}")

    def _content(self, entry: Tree) -> bytes:
        """The bytes of a buffer or an image."""
        if "bufferView" in entry:
            view = self.tree["bufferViews"][entry["bufferView"]]
            start = view.get("byteOffset", 0)
            return self._buffers[view["buffer"]][start : start + view["byteLength"]]
        uri = entry.get("uri")
        if uri is None:
            return self._binary
        kind, _, data = uri.partition(",")
        if not kind.startswith("data:"):
            return named_bytes(self._folder, uri)
        return b64decode(data) if kind.endswith(";base64") else unquote_to_bytes(data)

    def _rows(self, of: Tree, count: int, width: int, component: int) -> NDArray[Any]:
        """Values (count, width) from where something says that they are; TypeError if there are fewer."""
        view, dtype = self.tree["bufferViews"][of["bufferView"]], np.dtype(TYPES[component])
        offset = view.get("byteOffset", 0) + of.get("byteOffset", 0)
        strides = view.get("byteStride", width * dtype.itemsize), dtype.itemsize
        return np.ndarray((count, width), dtype, self._buffers[view["buffer"]], offset, strides)


def _meshes(tree: Tree, nodes: Sequence[int], above: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The meshes of nodes and those below them, and the matrix (4, 4) that places each."""
    for node in (tree["nodes"][index] for index in nodes):
        place = np.eye(4)
        if "matrix" in node:
            place = np.array(node["matrix"], np.float64).reshape(4, 4).T
        else:
            x, y, z, w = node.get("rotation", (0, 0, 0, 1))
            place = quaternion_matrix((w, x, y, z))
            place[:3, :3] *= node.get("scale", (1, 1, 1))
            place[:3, 3] = node.get("translation", (0, 0, 0))
        if "mesh" in node:
            yield node["mesh"], above @ place
        yield from _meshes(tree, node.get("children", []), above @ place)


def _part(file: _File, primitive: Tree, place: NDArray[np.float64]) -> Part:
    attributes = primitive["attributes"]
    with np.errstate(invalid="ignore"):  # of vertices that no face uses, perhaps
        vertices = file.floats(attributes["POSITION"]) @ place[:3, :3].T + place[:3, 3]
    corners = file.array(primitive["indices"])[:, 0] if "indices" in primitive else np.arange(len(vertices))
    corners = corners.astype(np.int64)
    mode = primitive.get("mode", TRIANGLES)
    if mode == STRIP:
        faces = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    else:
        faces = fans(corners[None]) if mode == FAN else corners.reshape(-1, 3)
    own = file.vertex_colours(attributes["COLOR_0"]) if "COLOR_0" in attributes else None
    if "material" not in primitive:
        return Part(vertices, faces, shades(GREY if own is None else own, None))
    factor, texture, said = file.colours(primitive["material"])
    if said and texture is None and factor is None and own is None:
        own = GREY  # all that was said of its colour is missing
    colours = shades(own, None if factor is None else np.array(factor, np.float64))
    moved = said.get("extensions", {}).get("KHR_texture_transform", {})
    coordinates = f"TEXCOORD_{moved.get('texCoord', said.get('texCoord', 0))}"
    if texture is None or coordinates not in attributes:
        return Part(vertices, faces, colours)
    return Part(vertices, faces, colours, _uv(file.floats(attributes[coordinates]), moved), texture)


def _uv(stored: NDArray[np.float64], moved: Tree) -> NDArray[np.float64]:
    """Texture coordinates (N, 2), v upwards, from stored ones, v downwards: scaled, turned, shifted."""
    cos, sin = np.cos(moved.get("rotation", 0.0)), np.sin(moved.get("rotation", 0.0))
    turn = np.array([[cos, sin], [-sin, cos]])  # counter-clockwise, as seen where v points down
    uv = (stored * moved.get("scale", (1, 1))) @ turn.T + moved.get("offset", (0, 0))
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
