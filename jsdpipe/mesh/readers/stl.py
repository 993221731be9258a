"""STL files, ASCII or binary, by trimesh: triangles without colours that all programs agree on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from trimesh.exchange.stl import load_stl

from jsdpipe.mesh.parts import GREY, Part, shades
from jsdpipe.mesh.readers.files import Notes


def parts(path: Path, notes: Notes) -> Iterator[Part]:
    """The solids of a file."""
    with path.open("rb") as stream:
        found = load_stl(stream)
    for solid in found.get("geometry", {"": found}).values():
        if "faces" in solid:
            yield Part(solid["vertices"].astype(np.float64), solid["faces"].astype(np.int64), shades(GREY, None))
