"""STL files, ASCII or binary, by trimesh: triangles without colours that all programs agree on."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from trimesh.exchange.stl import HeaderError, load_stl_ascii, load_stl_binary

from jsdpipe.mesh.parts import GREY, Part, shades
from jsdpipe.mesh.readers.files import Notes
from jsdpipe.pipeline.mesh_references import unix


def parts(path: Path, notes: Notes) -> Iterator[Part]:
    """The solids of a file."""
    content = path.read_bytes()
    try:
        found = load_stl_binary(BytesIO(content))
    except HeaderError:  # its length is not that of a binary file
        found = load_stl_ascii(BytesIO(unix(content)))
    for solid in found.get("geometry", {"": found}).values():
        if "faces" in solid:
            yield Part(solid["vertices"].astype(np.float64), solid["faces"].astype(np.int64), shades(GREY, None))
