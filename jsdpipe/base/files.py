"""Atomic writing of files and folders (a temporary file is renamed), and reading of JSON."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jsdpipe.base.errors import UserError

UMASK = os.umask(0)  # it can only be read by setting it
os.umask(UMASK)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder with the same suffix; rename it to `path` on success.

    On an exception the temporary file is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.chmod(0o666 & ~UMASK)  # safetensors makes files that only their owner can read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new temporary folder beside `path`; on success it replaces `path` with all its content.

    On an exception the temporary folder is removed and `path` stays as it was.
    """
    temporary, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():  # a process was killed between the two renames
        old.replace(path)
    for left in (temporary, old):
        shutil.rmtree(left, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def try_writing(folder: Path) -> None:
    """Raise OSError if a folder, which need not exist, is not writable; the attempt leaves no file."""
    while not folder.exists():
        folder = folder.parent
    tempfile.TemporaryFile(dir=folder).close()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: sorted keys, no NaN, a newline at the end."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; raises `UserError`, which names the file, if it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); rerun the stage that writes it") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: cannot be read as JSON; rerun the stage that writes it") from None


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file; `UserError` if it is missing or cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); restore it, or rerun the stage that writes it"
        ) from None


def read_fitting(path: Path, expected: str) -> dict[str, Any] | None:
    """The mapping in a JSON file if its "fingerprint" is `expected`, else None."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and value.get("fingerprint") == expected else None
