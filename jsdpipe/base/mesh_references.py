"""The files that a mesh file refers to, and where they are. Torch-free, because the workflow asks while it plans."""

import json
import os
import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from jsdpipe.base.errors import UserError

BOM = b"\xef\xbb\xbf"  # UTF-8's byte order mark, which some editors write at the start of a text
HEAD = 1 << 20  # bytes of a PLY file in which its header is looked for
LINES = {".obj": r"^\s*mtllib\s+(.+)", ".mtl": r"^\s*map_Kd\s+(.+)", ".ply": r"^comment\s+TextureFile\s+(.+)"}
REMARK = re.compile(rb"^([ \t]*(?:v|vt|f)[ \t][^#\n]*)#.*", re.MULTILINE)  # a comment after numbers; names may have a #
NUMBERS = r"(?:\s+[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?(?=\s)){1,3}"
OPTION = re.compile(rf"-(?:([ost])({NUMBERS})|mm\s+\S+\s+\S+|\w+\s+\S+)\s+")


def named_by(file: Path) -> Iterator[str]:
    """The file names in a mesh or material file, as written there; none if it is broken."""
    suffix = file.suffix.lower()
    with file.open("rb") as stream:
        if suffix in (".glb", ".gltf"):
            try:
                tree = gltf_tree(stream)
                uris = [entry.get("uri", "") for key in ("buffers", "images") for entry in tree.get(key, [])]
                yield from (uri for uri in uris if uri and not uri.startswith("data:"))
            except (ValueError, AttributeError, TypeError, RecursionError, struct.error):
                return  # the mesh stage reports that it is not a glTF file
        elif suffix in LINES:
            text = plain(stream.read(HEAD).split(b"end_header")[0] if suffix == ".ply" else stream.read())
            for line in re.findall(LINES[suffix], text, re.MULTILINE | re.IGNORECASE):
                if suffix == ".obj":
                    yield from libraries(file.parent, line)
                else:
                    yield texture_line(line)[0] if suffix == ".mtl" else line.strip()


def plain(content: bytes) -> str:
    """The text of an OBJ or MTL file with \\n line ends, no comments after numbers, and continued lines joined."""
    return os.fsdecode(REMARK.sub(rb"\1", unix(content).replace(b"\\\n", b" ")))


def unix(content: bytes) -> bytes:
    """A text without a byte order mark and with \\n line ends."""
    return content.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def libraries(folder: Path, line: str) -> list[str]:
    """The files that an `mtllib` line names: one with spaces in its name if it exists, else several."""
    name = line.strip()
    return name.split() if found(folder, name) is None and any(found(folder, word) for word in name.split()) else [name]


def found(folder: Path, name: str) -> Path | None:
    """The file that a mesh file in this folder names: exactly that one, else one in the folder with the same name."""
    return as_named(folder, name) or _beside(folder, name)


def as_named(folder: Path, name: str) -> Path | None:
    """The file of exactly that name, which may be percent-encoded, quoted, before a comment, or have `\\` for `/`."""
    for spelling in _spellings(name):
        if os.path.isfile(folder / spelling):  # noqa: PTH113, which takes any name
            return folder / spelling
    return None


def _spellings(name: str) -> tuple[str, ...]:
    return name, unquote(name), name.strip('"'), re.split(r"\s+#", name)[0], name.replace("\\", "/")


def _beside(folder: Path, name: str) -> Path | None:
    """The file in the folder with the same last component, ignoring case; the name may be a path of another machine."""
    try:
        names = _names(folder, folder.stat().st_mtime_ns)
    except OSError:
        return None
    for spelling in _spellings(name):
        if (known := names.get(re.split(r"[\\/]", spelling)[-1].casefold())) is not None:
            return folder / known
    return None


@lru_cache(maxsize=64)
def _names(folder: Path, changed: int) -> dict[str, str]:
    """The files in a folder by case-folded name; `changed`, the folder's time stamp, is the cache's key."""
    with os.scandir(folder) as entries:
        files = sorted(entry.name for entry in entries if entry.is_file())
    return {name.casefold(): name for name in files}


def texture_line(line: str) -> tuple[str, dict[str, list[float]]]:
    """The image's name in a `map_Kd` line, and the numbers of its options, such as "s" (scale) and "o" (offset)."""
    options, line = {}, line.strip()
    while option := OPTION.match(line):
        if option[1]:
            options[option[1]] = [float(number) for number in option[2].split()]
        line = line[option.end() :]
    return line, options


def gltf_tree(stream: BinaryIO) -> Any:
    """The JSON of a glTF file, binary or not; leaves the stream after it. ValueError or struct.error if broken."""
    head = stream.read(12)
    if head[:4] != b"glTF":
        return json.loads(head + stream.read())
    length, kind = struct.unpack("<I4s", stream.read(8))
    if head[4:8] != b"\2\0\0\0" or kind != b"JSON":
        raise ValueError("not glTF 2.0")
    return json.loads(stream.read(length))


def files_of(mesh: Path) -> list[Path]:
    """The existing files that a mesh is read from: its own, then those that it names (materials, images).

    Raises `UserError` if one cannot be read.
    """
    if not os.path.isfile(mesh):  # noqa: PTH113, which takes any name
        return []
    files = [mesh]
    for file in files:  # the list grows during the loop: an OBJ names materials, which name images
        try:
            names = list(named_by(file))
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror}); make it readable") from None
        paths = (found(file.parent, name) for name in names)
        files += [path for path in dict.fromkeys(paths) if path and path not in files]
    return files
