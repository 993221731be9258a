"""The files that a mesh's file names, what may be wrong with either, and what is left out of a mesh."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jsdpipe.errors import printable
from jsdpipe.mesh.readers.names import found


class BadMesh(Exception):
    """A file holds no mesh that can be scored; the text, one line, says which file and why."""


class Notes(list[str]):
    """What of a file is not in the surface that is read from it: plain sentences, each once.

    `whole`: a material or picture that is missing is no note, but a `BadMesh`.
    """

    def __init__(self, whole: bool = False) -> None:
        super().__init__()
        self._whole = whole

    def say(self, what: str) -> None:
        """Note that the file `what`, such as "names a.mtl, which is not there"."""
        if (sentence := printable(f"The file {what}.")) not in self:
            self.append(sentence)

    def lose(self, what: str) -> None:
        """As `say`, of what is missing and has an effect on nothing but colours."""
        if self._whole:
            raise BadMesh(f"{what}; restore it, or set mesh.missing_material: grey")
        self.say(what)


def named_bytes(folder: Path, name: str) -> bytes:
    """The bytes of a file that a mesh's file of this folder names; `BadMesh` if it cannot be read."""
    path = found(folder, name)
    try:
        if path is not None:
            return path.read_bytes()
    except OSError:
        pass
    raise BadMesh(f"names {name}, which cannot be read")


def named_picture(folder: Path, name: str, notes: Notes) -> NDArray[np.uint8] | None:
    """As `named_bytes`, decoded as `picture` does; None, and a note, if there is no such file."""
    if found(folder, name) is None:
        notes.lose(f"names {name}, which is not there")
        return None
    return picture(named_bytes(folder, name), f"names {name}")


def picture(content: bytes, source: str) -> NDArray[np.uint8]:
    """An image (H, W, 3), without its alpha; `BadMesh` says of the source that it cannot be read."""
    try:
        return np.asarray(Image.open(BytesIO(content)).convert("RGB"))
    except Exception:  # a broken image makes PIL raise errors of any kind
        raise BadMesh(f"{source}, which is no picture that can be read") from None
