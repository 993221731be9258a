"""The files that a mesh's file names: buffers, materials, images."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from jsdpipe.base.mesh_references import as_named, found
from jsdpipe.mesh.readers.base import BadMesh, Notes
from jsdpipe.mesh.surface import Texture


def read_bytes(folder: Path, name: str, notes: Notes) -> bytes:
    """Read a file that a mesh's file in this folder names; `BadMesh` if it cannot be read."""
    path = found(folder, name)
    try:
        if path is not None:
            if as_named(folder, name) is None:
                notes.add(f"names {name}, instead of which {path.name} is taken from the same folder")
            return path.read_bytes()
    except OSError:
        pass
    raise BadMesh(f"names {name}, which cannot be read")


def read_image(folder: Path, name: str, notes: Notes) -> NDArray[np.uint8] | None:
    """Read an image by its name and decode it as `decode` does; None, and a note, if it is missing."""
    if found(folder, name) is None:
        notes.add_missing(f"names {name}, which is not there")
        return None
    return decode(read_bytes(folder, name, notes), f"names {name}")


def read_texture(folder: Path, name: str, notes: Notes) -> Texture | None:
    """As `read_image`, as a repeating texture without alpha."""
    pixels = read_image(folder, name, notes)
    return None if pixels is None else Texture(np.ascontiguousarray(pixels[..., :3]))


def decode(content: bytes, source: str) -> NDArray[np.uint8]:
    """Decode an image to (H, W, 3), or (H, W, 4) if it has transparency; `BadMesh`, naming the source, if broken."""
    try:
        return _to_8_bits(Image.open(BytesIO(content)))
    except Exception:  # Pillow raises errors of many kinds for broken images
        raise BadMesh(f"{source}, which is no picture that can be read") from None


def _to_8_bits(image: ImageFile.ImageFile) -> NDArray[np.uint8]:
    """Convert as Pillow does, but scale 16-bit greys, which Pillow clips, and mend transparent colors (tRNS).

    Pillow compares a PNG's transparent color with 8-bit pixels, though it is stored at the image's own bit depth.
    """
    transparent = image.info.get("transparency")
    if image.mode.startswith("I;16"):
        samples = np.asarray(image).astype(np.int64)
        channels = [(samples + 128) // 257] * 3 + ([] if transparent is None else [255 * (samples != transparent)])
        return np.stack(channels, axis=-1).astype(np.uint8)
    match image.tile[0].args if image.tile else None:
        case "L;2" | "L;4" as mode if transparent is not None:
            image.info["transparency"] = transparent * {"L;2": 85, "L;4": 17}[mode]
        case "RGB;16B" if transparent is not None:
            image.info["transparency"] = tuple(sample >> 8 for sample in transparent)  # Pillow keeps the high bytes
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
