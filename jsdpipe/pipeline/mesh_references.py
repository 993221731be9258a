"""Which other files a mesh's file names, and where they are. Torch-free, because the workflow asks while it plans."""

import json
import os
import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

BOM = b"\xef\xbb\xbf"  # of UTF-8, which some editors put before a text
HEAD = 1 << 20  # bytes in which a PLY file names other files
LINES = {".obj": r"^\s*mtllib\s+(.+)", ".mtl": r"^\s*map_Kd\s+(.+)", ".ply": r"^comment\s+TextureFile\s+(.+)"}
REMARK = re.compile(rb"^([ \t]*(?:v|vt|f)[ \t][^#\n]*)#.*", re.MULTILINE)  # behind numbers; names may have a #
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
            except (ValueError, AttributeError, TypeError, RecursionError, struct.error):
                return  # the mesh stage says that it is no glTF
        elif suffix in LINES:
            text = plain(stream.read(HEAD).split(b"end_header")[0] if suffix == ".ply" else stream.read())
            for line in re.findall(LINES[suffix], text, re.MULTILINE | re.IGNORECASE):
                if suffix == ".obj":
                    yield from libraries(file.parent, line)
                else:
                    yield texture_line(line)[0] if suffix == ".mtl" else line.strip()


def plain(content: bytes) -> str:
    """The text of an OBJ or MTL file, lines ended by \\n, without remarks behind numbers, continued lines as one."""
    return os.fsdecode(REMARK.sub(rb"\1", unix(content).replace(b"\\\n", b" ")))


def unix(content: bytes) -> bytes:
    """A text without a byte order mark, its lines ended by \\n."""
    return content.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def libraries(folder: Path, line: str) -> list[str]:
    """The files that stand behind `mtllib`: one with spaces in its name if it is there, or else several."""
    name = line.strip()
    return name.split() if found(folder, name) is None and any(found(folder, word) for word in name.split()) else [name]


def found(folder: Path, name: str) -> Path | None:
    """The file of that name, as it stands in a mesh's file of this folder, or the one beside that is meant by it."""
    return as_named(folder, name) or _beside(folder, name)


def as_named(folder: Path, name: str) -> Path | None:
    """The file of just that name, which may be percent-encoded, quoted, before a remark, or have `\\` for `/`."""
    for spelling in _spellings(name):
        if os.path.isfile(folder / spelling):  # noqa: PTH113, which takes any name
            return folder / spelling
    return None


def _spellings(name: str) -> tuple[str, ...]:
    return name, unquote(name), name.strip('"'), re.split(r"\s+#", name)[0], name.replace("\\", "/")


def _beside(folder: Path, name: str) -> Path | None:
    """A file that a name means on another machine: of the same name in any case, whatever the folders before it."""
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
    """The files in a folder, as it was when it changed last, by their names in one case."""
    with os.scandir(folder) as entries:
        return {
            entry.name.casefold(): entry.name for entry in sorted(entries, key=lambda of: of.name) if entry.is_file()
        }


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
