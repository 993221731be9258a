"""The files that a mesh's file names, what may be wrong with either, and what is left out of a mesh."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from jsdpipe.base.errors import printable
from jsdpipe.mesh.surface import Texture
from jsdpipe.pipeline.mesh_references import as_named, found


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


def named_bytes(folder: Path, name: str, notes: Notes) -> bytes:
    """The bytes of a file that a mesh's file of this folder names; `BadMesh` if it cannot be read."""
    path = found(folder, name)
    try:
        if path is not None:
            if as_named(folder, name) is None:
                notes.say(f"names {name}, for which {path.name} is taken, which lies beside it")
            return path.read_bytes()
    except OSError:
        pass
    raise BadMesh(f"names {name}, which cannot be read")


def named_picture(folder: Path, name: str, notes: Notes) -> NDArray[np.uint8] | None:
    """As `named_bytes`, decoded as `picture` does; None, and a note, if there is no such file."""
    if found(folder, name) is None:
        notes.lose(f"names {name}, which is not there")
        return None
    return picture(named_bytes(folder, name, notes), f"names {name}")


def named_texture(folder: Path, name: str, notes: Notes) -> Texture | None:
    """As `named_picture`, as a texture that repeats, without its alpha."""
    pixels = named_picture(folder, name, notes)
    return None if pixels is None else Texture(np.ascontiguousarray(pixels[..., :3]))


def picture(content: bytes, source: str) -> NDArray[np.uint8]:
    """An image (H, W, 3), or (H, W, 4) if it has an alpha; `BadMesh` says of the source that it cannot be read."""
    try:
        return _decoded(Image.open(BytesIO(content)))
    except Exception:  # a broken image makes PIL raise errors of any kind
        raise BadMesh(f"{source}, which is no picture that can be read") from None


def _decoded(image: ImageFile.ImageFile) -> NDArray[np.uint8]:
    """As `picture`; Pillow clips 16-bit greys, and takes a PNG's clear colour of other depths than 8 for one of 8."""
    clear = image.info.get("transparency")
    if image.mode.startswith("I;16"):
        samples = np.asarray(image).astype(np.int64)
        channels = [(samples + 128) // 257] * 3 + ([] if clear is None else [255 * (samples != clear)])
        return np.stack(channels, axis=-1).astype(np.uint8)
    match image.tile[0].args if image.tile else None:
        case "L;2" | "L;4" as kind if clear is not None:
            image.info["transparency"] = clear * {"L;2": 85, "L;4": 17}[kind]
        case "RGB;16B" if clear is not None:
            image.info["transparency"] = tuple(sample >> 8 for sample in clear)  # of what Pillow keeps
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
