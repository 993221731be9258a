"""The files that a mesh's file names, and what may be wrong with either."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jsdpipe.errors import first_line
from jsdpipe.mesh.readers.names import found


class BadMesh(Exception):
    """A file holds no mesh that can be scored; the text, one line, says which file and why."""


def named_bytes(folder: Path, name: str) -> bytes:
    """The bytes of a file that a mesh's file of this folder names; `BadMesh` if it cannot be read."""
    path = found(folder, name)
    try:
        if path is not None:
            return path.read_bytes()
    except OSError:
        pass
    raise BadMesh(f"names {name}, which cannot be read")


def named_picture(folder: Path, name: str) -> NDArray[np.uint8]:
    """As `named_bytes`, decoded as `picture` does."""
    return picture(named_bytes(folder, name), f"names {name}")


def picture(content: bytes, source: str) -> NDArray[np.uint8]:
    """An image (H, W, 3), without its alpha; `BadMesh` says of the source that it cannot be read."""
    try:
        return np.asarray(Image.open(BytesIO(content)).convert("RGB"))
    except Exception as error:  # a broken image makes PIL raise errors of any kind
        raise BadMesh(f"{source}, which cannot be read ({first_line(error)})") from None
