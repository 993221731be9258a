"""Which other files a mesh's file names, and where they are. Torch-free, because the workflow asks while it plans."""

import json
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

HEAD = 1 << 20  # bytes in which an OBJ or PLY file names other files
LINES = {".obj": r"^\s*mtllib\s+(.+)", ".mtl": r"^\s*map_Kd\s+(.+)", ".ply": r"^comment\s+TextureFile\s+(.+)"}
NUMBERS = r"(?:\s+[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?(?=\s)){1,3}"
OPTION = re.compile(rf"-(?:([ost])({NUMBERS})|mm\s+\S+\s+\S+|\w+\s+\S+)\s+")


def named_by(file: Path) -> Iterator[str]:
    """The names in a mesh's or a material's file, as they stand there; none if it is broken."""
    suffix = file.suffix.lower()
    with file.open("rb") as stream:
        if suffix in (".glb", ".gltf"):
            try:
                tree = gltf_tree(stream)
                uris = [entry.get("uri", "") for key in ("buffers", "images") for entry in tree.get(key, [])]
                yield from (uri for uri in uris if uri and not uri.startswith("data:"))
            except (ValueError, AttributeError, TypeError, struct.error):  # the mesh stage says that it is no glTF
                return
        elif suffix in LINES:
            head = os.fsdecode(stream.read(HEAD))
            for line in re.findall(LINES[suffix], head, re.MULTILINE | re.IGNORECASE):
                yield texture_line(line)[0] if suffix == ".mtl" else line.strip()


def found(folder: Path, name: str) -> Path | None:
    """The file of that name, as it stands in a mesh's file of this folder: perhaps percent-encoded, or with `\\`."""
    for spelling in (name, unquote(name), name.replace("\\", "/")):
        if os.path.isfile(folder / spelling):  # noqa: PTH113, which takes any name
            return folder / spelling
    return None


def texture_line(line: str) -> tuple[str, dict[str, list[float]]]:
    """What stands behind `map_Kd`: the image's name, and the numbers of its options "s" (scale) and "o" (offset)."""
    options, line = {}, line.strip()
    while option := OPTION.match(line):
        if option[1]:
            options[option[1]] = [float(number) for number in option[2].split()]
        line = line[option.end() :]
    return line, options


def gltf_tree(stream: BinaryIO) -> Any:
    """The JSON of a glTF file, binary or not; the stream is left behind it. ValueError or struct.error if broken."""
    head = stream.read(12)
    if head[:4] != b"glTF":
        return json.loads(head + stream.read())
    length, kind = struct.unpack("<I4s", stream.read(8))
    if head[4:8] != b"\2\0\0\0" or kind != b"JSON":
        raise ValueError("no glTF 2.0")
    return json.loads(stream.read(length))
