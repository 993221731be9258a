"""Hashes of the contents of users' files. A file has changed if its content has, whatever its time stamp.

A hash is cached beside Snakemake's own records until the file's size, times or inode change. Torch-free, because the
workflow asks while it plans.
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
LARGE = 1 << 30  # bytes; hashing them takes seconds

Stamp = tuple[int, ...]


class Hashes:
    """Hashes of files, cached in a file of JSON lines to which several processes may append; broken lines are ignored.

    If the cache cannot be written, the hashes are not kept.
    """

    def __init__(self, kept: Path) -> None:
        self._kept = kept

    def of(self, file: Path) -> str:
        """Hex SHA-256 of a file; raises `UserError` if it is missing or cannot be read."""
        name, stamp = os.path.abspath(file), _stamp(file)  # noqa: PTH100, because links need not be resolved
        known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        if stamp is not None and stamp[0] >= LARGE:
            print(f"hashing {file} (once)", file=sys.stderr)
        digest = sha256(file)
        if stamp is not None and _stamp(file) == stamp:  # otherwise it is being written
            self._known[name] = stamp, digest
            self._append(json.dumps([name, stamp, digest]))
        return digest

    @cached_property
    def _known(self) -> dict[str, tuple[Stamp, str]]:
        known = {}
        try:
            lines = self._kept.read_bytes().splitlines()
        except OSError:
            return {}
        for line in lines:
            try:
                name, stamp, digest = json.loads(line)
                known[name] = tuple(stamp), digest
            except (ValueError, TypeError):  # cut short
                continue
        return known

    def _append(self, line: str) -> None:
        try:
            # one append, which writes of other processes cannot split
            target = os.open(self._kept, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError:
            return
        try:
            os.write(target, f"{line}\n".encode())
        finally:
            os.close(target)


def _stamp(file: Path) -> Stamp | None:
    """A file's size, times and inode, None if it is missing; unlike mtime, ctime is not preserved by copying."""
    try:
        status = os.stat(file)  # noqa: PTH116, which takes any name
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


_HASHES = Hashes(KEPT)


def contents(files: Iterable[Path]) -> str:
    """One hash of the contents of files, in order; raises `UserError` if one cannot be read."""
    return hashlib.sha256("".join(map(_HASHES.of, files)).encode()).hexdigest()
