"""STL files, ASCII or binary, by trimesh; colors are ignored, because programs store them in different ways."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from trimesh.exchange.stl import HeaderError, load_stl_ascii, load_stl_binary

from jsdpipe.base.mesh_references import unix
from jsdpipe.mesh.readers.base import GREY, Notes, Part, base_colors


def parts(path: Path, notes: Notes) -> Iterator[Part]:
    """Read a file's solids."""
    content = path.read_bytes()
    try:
        loaded = load_stl_binary(BytesIO(content))
    except HeaderError:  # the length does not fit the header of a binary file
        loaded = load_stl_ascii(BytesIO(unix(content)))
    for solid in loaded.get("geometry", {"": loaded}).values():
        if "faces" in solid:
            vertices, faces = solid["vertices"].astype(np.float64), solid["faces"].astype(np.int64)
            yield Part(vertices, faces, base_colors(GREY, None))
