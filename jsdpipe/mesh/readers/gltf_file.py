"""A glTF 2.0 file's JSON, and access to its accessors, buffers and images."""

import struct
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.mesh_references import gltf_tree
from jsdpipe.mesh.readers.base import BadMesh, Notes
from jsdpipe.mesh.readers.referenced import decode, read_bytes, read_image

# extensions that a file may require: those that are read, and those that do not change the shape
SUPPORTED = (
    "KHR_mesh_quantization", "EXT_mesh_gpu_instancing", "KHR_texture_", "EXT_texture_", "KHR_materials_", "KHR_lights_",
)  # fmt: skip
TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
Tree = dict[str, Any]


class File:
    """A glTF file: its JSON, `tree`, and its binary data.

    Raises `BadMesh` if it is not glTF 2.0, is cut short, or requires an unsupported extension.
    """

    def __init__(self, path: Path, notes: Notes) -> None:
        with path.open("rb") as stream:
            self.tree: Tree = gltf_tree(stream)
            chunk = stream.read()
        version = str(self.tree["asset"]["version"])
        if not version.startswith("2."):
            raise BadMesh(f"is glTF {version}, of which only 2.0 is read")
        needed = [name for name in self.tree.get("extensionsRequired", []) if not name.startswith(SUPPORTED)]
        if needed:
            raise BadMesh(f"requires {', '.join(needed)}, which is not read; export it without")
        self.notes = notes
        self._folder = path.parent
        self._binary = b""
        if chunk:
            length, _ = struct.unpack("<I4s", chunk[:8])
            self._binary = chunk[8 : 8 + length]
            if len(self._binary) < length:
                raise BadMesh("is cut short")
        self._buffers = [self._content(buffer) for buffer in self.tree.get("buffers", [])]

    def array(self, accessor: int) -> NDArray[Any]:
        """Read an accessor's values (N, width), as stored."""
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

    def floats(self, accessor: int, unit: bool = False) -> NDArray[np.float64]:
        """As `array`, in floating point; normalized integers, or with `unit` all integers, become [0, 1] or [-1, 1]."""
        values = self.array(accessor)
        if (unit or self.tree["accessors"][accessor].get("normalized")) and values.dtype.kind in "iu":
            return np.maximum(values / np.iinfo(values.dtype).max, -1)
        return values.astype(np.float64)

    def image(self, index: int) -> NDArray[np.uint8] | None:
        """Read an image as `decode` does; None, and a note, if it is a missing file."""
        image = self.tree["images"][index]
        name = image.get("uri", "data:")
        if not name.startswith("data:"):
            return read_image(self._folder, name, self.notes)
        kind = image.get("mimeType", "of a kind that is not stated")
        return decode(self._content(image), f"holds image {index}, {kind}")

    def _content(self, entry: Tree) -> bytes:
        """Read the bytes of a buffer or an image."""
        if "bufferView" in entry:
            view = self.tree["bufferViews"][entry["bufferView"]]
            start = view.get("byteOffset", 0)
            return self._buffers[view["buffer"]][start : start + view["byteLength"]]
        uri = entry.get("uri")
        if uri is None:
            return self._binary
        kind, _, data = uri.partition(",")
        if not kind.startswith("data:"):
            return read_bytes(self._folder, uri, self.notes)
        return b64decode(data) if kind.endswith(";base64") else unquote_to_bytes(data)

    def _rows(self, of: Tree, count: int, width: int, component: int) -> NDArray[Any]:
        """Read values (count, width) at the buffer view and offset of an accessor; TypeError if the buffer is short."""
        view, dtype = self.tree["bufferViews"][of["bufferView"]], np.dtype(TYPES[component])
        offset = view.get("byteOffset", 0) + of.get("byteOffset", 0)
        strides = view.get("byteStride", width * dtype.itemsize), dtype.itemsize
        return np.ndarray((count, width), dtype, self._buffers[view["buffer"]], offset, strides)
