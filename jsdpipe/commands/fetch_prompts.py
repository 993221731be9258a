"""Fetching the prompt sets that may not be copied into the repository, checked against `prompt_sources.yaml`."""

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


class PromptFile(Strict):
    """What a fetched file must be."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    lines: Annotated[int, Field(ge=1)]


class Source(Strict):
    """Where the files of a prompt set are, at one commit."""

    repository: str
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    licence: str
    address: str = Field(description="of a file; {commit} and {file} are filled in")
    files: dict[Annotated[str, Field(pattern=NAME)], PromptFile]


class Sources(Strict):
    """`prompt_sources.yaml`."""

    sources: dict[str, Source]


def fetch(name: str, folder: Path, origin: Path | None = None, sources: Path = SOURCES) -> list[Path]:
    """Put the files of a source, from its address or from the folder `origin`, into `folder`.

    Files that are there and right are kept. Nothing is written unless every file's hash and number of lines are right;
    `UserError` otherwise, for an unknown source or one out of reach, and where nothing can be written.
    """
    known = validate(Sources, read_yaml(sources), str(sources)).sources
    if name not in known:
        raise UserError(f"{sources}: no source {name!r}; {nearest(name, list(known), 'there are')}")
    source = known[name]
    contents: dict[Path, bytes] = {}
    for file, expected in source.files.items():
        target = folder / file
        with _writing(target):
            if target.is_file() and not _fault(target.read_bytes(), expected):
                continue
        place = str(origin / file) if origin else source.address.format(commit=source.commit, file=file)
        content = _read(place) if origin else _download(place)
        if fault := _fault(content, expected):
            raise UserError(f"{place}: {fault}; {sources} states what it must be")
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
            f"{target}: cannot be written ({error.strerror}); free its place, or give another folder: --out FOLDER"
        ) from None


def _fault(content: bytes, expected: PromptFile) -> str | None:
    digest, lines = hashlib.sha256(content).hexdigest(), content.count(b"\n")
    if digest != expected.sha256:
        return f"SHA-256 is {digest}, expected {expected.sha256}"
    return None if lines == expected.lines else f"has {lines} lines, expected {expected.lines}"


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
