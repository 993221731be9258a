"""Fetch the prompt sets of `prompt_sources.yaml`, which may not be copied into the repository."""

import hashlib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import Field

from jsdpipe.base.errors import UserError
from jsdpipe.base.fields import Strict
from jsdpipe.base.files import atomic
from jsdpipe.base.validation import NAME, nearest, read_yaml, validate

SOURCES = Path(__file__).with_name("prompt_sources.yaml")
TIMEOUT_S = 60


class Source(Strict):
    """Where the files of a prompt set are, at one commit."""

    repository: str
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    license: str
    address: str = Field(description="of a file; {commit} and {file} are filled in")
    files: dict[Annotated[str, Field(pattern=NAME)], Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        description="SHA-256 by name"
    )


class Sources(Strict):
    """`prompt_sources.yaml`."""

    sources: dict[str, Source]


def fetch(name: str, folder: Path, origin: Path | None = None, sources: Path = SOURCES) -> list[Path]:
    """Fetch a source's files into a folder; nothing is written unless the SHA-256 of every file is right.

    Args:
        origin: a folder to take the files from, instead of downloading them.

    Returns:
        The files that were written; those that were already there and right are not fetched again.

    Raises:
        UserError: if the source is unknown or out of reach, a hash is wrong, or a file cannot be written.
    """
    known = validate(Sources, read_yaml(sources), str(sources)).sources
    if name not in known:
        raise UserError(f"{sources}: no source {name!r}; {nearest(name, list(known), 'there are')}")
    source = known[name]
    contents: dict[Path, bytes] = {}
    for file, expected in source.files.items():
        target = folder / file
        with _writing(target):
            if target.is_file() and _sha256(target.read_bytes()) == expected:
                continue
        place = str(origin / file) if origin else source.address.format(commit=source.commit, file=file)
        content = _read(place) if origin else _download(place)
        if (found := _sha256(content)) != expected:
            raise UserError(f"{place}: SHA-256 is {found}, expected {expected} by {sources}")
        contents[target] = content
    for target, content in contents.items():
        with _writing(target), atomic(target) as temporary:
            temporary.write_bytes(content)
    return list(contents)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written ({error.strerror}); move what is in the way, or give another folder: "
            "--out FOLDER"
        ) from None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(place: str) -> bytes:
    try:
        return Path(place).read_bytes()
    except OSError as error:
        raise UserError(f"{place}: cannot be read ({error.strerror}); give the folder that holds the file") from None


def _download(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as response:
            content: bytes = response.read()
            return content
    except (OSError, ValueError) as error:
        raise UserError(
            f"{address}: cannot be fetched ({error}); check the network, or give a folder with the files: --from FOLDER"
        ) from None
