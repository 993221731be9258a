"""Write and load surfaces as binary glTF, the format of all meshes in a run.

glTF is y-up and an asset faces +z; our world is z-up and an asset faces +x. World (x, y, z) is stored as glTF
(y, z, x), an exact rotation, so viewers show an asset upright and from its front. As glTF demands, baseColorTexture is
sRGB (PNG) and COLOR_0 linear light; COLOR_0 has 16 bits, which keep all 256 sRGB values apart. Materials are unlit
(KHR_materials_unlit). A viewer thus shows the colors of our views, except between vertices of different colors, where
it interpolates linear light and our views interpolate sRGB.

trimesh's writer has 8 bits for COLOR_0, no targets of buffer views, and no unlit materials.
"""

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import atomic
from jsdpipe.mesh.readers.gltf_materials import WRAPS
from jsdpipe.mesh.reading import BadMesh, read
from jsdpipe.mesh.srgb import to_linear
from jsdpipe.mesh.surface import Surface, Texture, Wrap

UNLIT = "KHR_materials_unlit"
NUMBERS = {wrap: number for number, wrap in WRAPS.items()}
VERTICES, INDICES = 34962, 34963  # buffer view targets
FLOAT, SHORT, INT = 5126, 5123, 5125  # component types
LINEAR = (65535 * to_linear(np.arange(256) / 255)).round().astype("<u2")  # by sRGB value


def save(surface: Surface, path: Path) -> None:
    """Write a surface, one primitive per texture; the same surface gives the same bytes."""
    file = _File()
    for index in np.unique(surface.texture).tolist():
        used, corners = np.unique(surface.faces[surface.texture == index], return_inverse=True)
        places = surface.vertices[used][:, [1, 2, 0]].astype("<f4")
        colors = np.pad(LINEAR[surface.colors[used]], ((0, 0), (0, 1)), constant_values=65535)
        bounds = {"min": places.min(axis=0).tolist(), "max": places.max(axis=0).tolist()}
        attributes = {
            "POSITION": file.accessor(places, VERTICES, FLOAT, **bounds),
            "COLOR_0": file.accessor(colors, VERTICES, SHORT, normalized=True),
        }
        if index >= 0:
            uv = surface.uv[used] * np.array([1, -1], "<f4") + np.array([0, 1], "<f4")  # v downwards
            attributes["TEXCOORD_0"] = file.accessor(uv, VERTICES, FLOAT)
        indices = file.accessor(corners.ravel().astype("<u4"), INDICES, INT)
        file.primitive(attributes, indices, surface.textures[index] if index >= 0 else None)
    with atomic(path) as temporary:
        temporary.write_bytes(file.content())


def load(path: Path) -> Surface:
    """Load a mesh that `save` wrote; `UserError` if it is missing or broken."""
    try:
        return read(path)
    except BadMesh as error:
        raise UserError(f"{error}; rerun the mesh stage") from None


class _File:
    """The JSON and the buffer of a glTF file with one mesh, built up step by step."""

    def __init__(self) -> None:
        self._binary = bytearray()
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []
        self._primitives: list[dict[str, Any]] = []
        self._materials: list[dict[str, Any]] = []
        self._images: list[dict[str, Any]] = []
        self._textures: list[dict[str, Any]] = []
        self._samplers: list[tuple[Wrap, Wrap]] = []

    def accessor(self, values: NDArray[Any], target: int, component: int, **more: Any) -> int:
        """Store values (N,) or (N, width); returns the index of their accessor."""
        kind = "SCALAR" if values.ndim == 1 else f"VEC{values.shape[1]}"
        view = self._view(values.tobytes(), target=target)
        self._accessors.append(
            {"bufferView": view, "componentType": component, "count": len(values), "type": kind, **more}
        )
        return len(self._accessors) - 1

    def primitive(self, attributes: dict[str, int], indices: int, texture: Texture | None) -> None:
        """Add triangles with a material of their own."""
        of: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 0.9}  # for viewers without unlit materials
        mask: dict[str, Any] = {}
        if texture is not None:
            png = io.BytesIO()
            Image.fromarray(texture.pixels).save(png, "PNG")
            of["baseColorTexture"] = {"index": len(self._textures)}
            self._textures.append({"source": len(self._images)} | self._sampler(texture.wrap))
            self._images.append({"bufferView": self._view(png.getvalue()), "mimeType": "image/png"})
            mask = {"alphaMode": "MASK", "alphaCutoff": texture.cutoff} if texture.cutoff > 0 else {}
        self._primitives.append({"attributes": attributes, "indices": indices, "material": len(self._materials)})
        self._materials.append({"pbrMetallicRoughness": of, "doubleSided": True, "extensions": {UNLIT: {}}} | mask)

    def content(self) -> bytes:
        """Serialize the file."""
        tree = {
            "asset": {"version": "2.0", "generator": "jsdpipe"},
            "extensionsUsed": [UNLIT],
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": self._primitives}],
            "materials": self._materials,
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": len(self._binary)}],
        }
        if self._images:
            tree |= {"textures": self._textures, "images": self._images}
        if self._samplers:
            tree["samplers"] = [{"wrapS": NUMBERS[u], "wrapT": NUMBERS[v]} for u, v in self._samplers]
        text = json.dumps(tree, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(self._binary), b"BIN\0")
        size = 12 + sum(map(len, chunks)) + len(self._binary)
        return b"".join((struct.pack("<4sII", b"glTF", 2, size), *chunks, self._binary))

    def _sampler(self, wrap: tuple[Wrap, Wrap]) -> dict[str, int]:
        """The texture's reference to a sampler; empty for repetition, glTF's default."""
        if wrap == ("repeat", "repeat"):
            return {}
        if wrap not in self._samplers:
            self._samplers.append(wrap)
        return {"sampler": self._samplers.index(wrap)}

    def _view(self, content: bytes, **more: Any) -> int:
        self._views.append({"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(content), **more})
        self._binary += content + bytes(-len(content) % 4)
        return len(self._views) - 1
