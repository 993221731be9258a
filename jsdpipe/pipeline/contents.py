"""The contents of files that users bring, as hashes: what decides whether they are others, never their time stamps.

A file is read once: its hash is kept beside Snakemake's own records, until size, times or inode change. Torch-free,
because the workflow asks while it plans.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from jsdpipe.base.files import sha256

KEPT = Path(".snakemake/jsdpipe-hashes.jsonl")  # in the working directory
LARGE = 1 << 30  # bytes, which take seconds

Stamp = tuple[int, ...]


class Hashes:
    """Hashes of files, kept in a file of lines, to which several processes may append; broken lines don't count.

    Where there is no folder for it, or it cannot be written, they are just not kept.
    """

    def __init__(self, kept: Path) -> None:
        self._kept = kept

    def of(self, file: Path) -> str:
        """Hex SHA-256 of a file; `UserError` if it is missing or cannot be read."""
        name, stamp = os.path.abspath(file), _stamp(file)  # noqa: PTH100, which a link's own name would do for
        known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        if stamp is not None and stamp[0] >= LARGE:
            print(f"reading {file} once, for its hash", file=sys.stderr)
        found = sha256(file)
        if stamp is not None and _stamp(file) == stamp:  # or it is being written
            self._known[name] = stamp, found
            self._append(json.dumps([name, stamp, found]))
        return found

    @cached_property
    def _known(self) -> dict[str, tuple[Stamp, str]]:
        known = {}
        try:
            lines = self._kept.read_bytes().splitlines()
        except OSError:
            return {}
        for line in lines:
            try:
                name, stamp, found = json.loads(line)
                known[name] = tuple(stamp), found
            except (ValueError, TypeError):  # cut short
                continue
        return known

    def _append(self, line: str) -> None:
        try:
            # one write at the end of the file, which no other process' write divides
            target = os.open(self._kept, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError:
            return
        try:
            os.write(target, f"{line}\n".encode())
        finally:
            os.close(target)


def _stamp(file: Path) -> Stamp | None:
    """What changes with a file; the time of its change too, which no copy brings along. None if there is no file."""
    try:
        of = os.stat(file)  # noqa: PTH116, which takes any name
    except OSError:
        return None
    return of.st_size, of.st_mtime_ns, of.st_ctime_ns, of.st_ino


_HASHES = Hashes(KEPT)


def contents(files: Iterable[Path]) -> str:
    """One hash of the contents of files, in their order; `UserError` if one cannot be read."""
    return hashlib.sha256("".join(map(_HASHES.of, files)).encode()).hexdigest()
