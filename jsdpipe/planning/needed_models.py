"""The models that a configuration needs, and whether they are here. Torch-free; the network is never asked."""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rich.filesize import decimal

from jsdpipe import models
from jsdpipe.base.columns import columns
from jsdpipe.base.errors import UserError
from jsdpipe.base.validation import at
from jsdpipe.config.run_config import RunConfig
from jsdpipe.miniature import WEIGHTS
from jsdpipe.model_files.formats import INCEPTION_URL, PRIOR, Format
from jsdpipe.model_files.known import KNOWN, MOVED, PACKAGE_LICENCE
from jsdpipe.models.settings import EndpointJudge, Inception, Stored

PACKAGE = WEIGHTS.parent.parent


@dataclass(frozen=True)
class Needed:
    """A model that stages need, and where it comes from.

    `size` is that of the files it is read from, of a missing one that of the download, in bytes; `None`: unknown.
    `mends` are lines that say what to do about a missing one, none if it is present. `key` is the configuration's for a
    missing one that a stage downloads when it first needs it, and `download` the command that does it before.
    """

    name: str
    stages: tuple[str, ...]
    origin: str
    licence: str
    size: int | None
    mends: tuple[str, ...] = ()
    key: str = ""
    download: str | None = None

    @property
    def amount(self) -> str:
        """The size for people; a model that is code alone has none."""
        return "?" if self.size is None else decimal(self.size) if self.size else "-"


def needed(config: RunConfig, name: str) -> list[Needed]:
    """The distinct models of a configuration that errors call `name`, the prior first.

    `UserError` for a model that there can be none of; one that is only missing here is none.
    """
    found = []
    if config.prior:
        with at(f"{name}: prior.model"):
            found = [prior(config.prior.model, config.prior.revision)]
    named = models.chosen(config)
    sharing: dict[Path | str, list[str]] = {}
    for key, settings in named.items():
        with at(f"{name}: {key}"):
            sharing.setdefault(settings.folder() or settings.name, []).append(key)
    for keys in sharing.values():
        names = ", ".join(dict.fromkeys(named[key].name for key in keys))
        stages = tuple(dict.fromkeys(key.split(".")[0] for key in keys))
        settings = named[keys[0]]
        if isinstance(settings, EndpointJudge):
            found.append(_endpoint(settings, stages, keys[0]))
        elif isinstance(settings, Stored):
            found.append(_pretrained(settings.format, settings.model, settings.revision, stages, keys[0]))
        elif isinstance(settings, Inception):
            found.append(_inception(settings, stages, keys[0]))
        else:
            folder = settings.folder() or PACKAGE
            found.append(_local(names, stages, folder, PACKAGE_LICENCE, settings.files))
    return found


def prior(model: str, revision: str | None = None) -> Needed:
    """A prior as `prior.model` and `prior.revision` name it; `UserError` if there can be none of that name."""
    return _pretrained(PRIOR, model, revision, ("generate",), "prior")


def _pretrained(format: Format, model: str, revision: str | None, stages: tuple[str, ...], key: str) -> Needed:
    """A model in some format, which the configuration's `key` names."""
    if folder := format.local_folder(model, revision):
        return _local(model, stages, folder, _licence(folder) or "unstated", partial(format.files, folder))
    facts, cached = KNOWN.get(MOVED.get(model, model)), format.cached_folder(model, revision)
    licence = (facts.licence if facts else cached and _licence(cached)) or "unknown"
    origin = f"hub: {model}@{revision or 'main'}"
    if cached:
        here = _local(model, stages, cached, licence, partial(format.files, cached))
        if not here.mends:
            return Needed(model, stages, origin, licence, here.size)
    size = facts.download if facts else None
    if model in MOVED:
        mend = f"withdrawn by its owner; the same weights: give {MOVED[model]} as {key}.model"
        return Needed(model, stages, origin, licence, size, (mend,))
    command = _from_the_hub(format, model, revision)
    place = f"{key}.model" + (" or --prior" if key == "prior" else "")
    mends = (
        f"online: `jsdpipe {stages[0]}` downloads it when it first needs it; to have it before: {command}",
        f"offline: run that elsewhere with --local-dir FOLDER, copy that here, and name it as {place}",
    )
    return Needed(model, stages, origin, licence, size, mends, f"{key}.model", command)


def _inception(settings: Inception, stages: tuple[str, ...], key: str) -> Needed:
    """torchvision's file of Inception-v3: the one that is named, or the one that is downloaded."""
    if settings.weights:
        return _local(settings.name, stages, settings.file, "unstated", settings.files)
    file, facts = settings.file, KNOWN[settings.kind]
    origin = f"torchvision: {file.name}"
    if file.is_file():
        return Needed(settings.name, stages, origin, facts.licence, file.stat().st_size)
    command = shlex.join(["curl", "--create-dirs", "-o", str(file), INCEPTION_URL])
    mends = (
        f"online: `jsdpipe {stages[0]}` downloads it when it first needs it; to have it before: {command}",
        f"offline: fetch that elsewhere, and copy it to {file}, or name it as {key}.weights",
    )
    return Needed(settings.name, stages, origin, facts.licence, facts.download, mends, key, command)


def _endpoint(settings: EndpointJudge, stages: tuple[str, ...], key: str) -> Needed:
    """A model elsewhere: missing if the key that it needs is."""
    variable = settings.key_env
    mends = () if not variable or os.environ.get(variable) else (f"{key}.key_env: export the key in {variable}",)
    return Needed(settings.name, stages, f"endpoint: {settings.base_url}", "unknown", 0, mends)


def table(found: list[Needed]) -> str:
    """Models, one a line, below the names of the columns."""
    rows = [("model", "used by", "state", "size", "licence", "from")]
    for model in found:
        state = "missing" if model.mends else "present"
        rows.append((model.name, ", ".join(model.stages), state, model.amount, model.licence, model.origin))
    return columns(rows)


def _local(name: str, stages: tuple[str, ...], place: Path, licence: str, files: Callable[[], list[Path]]) -> Needed:
    """A model in a folder or file of this machine."""
    own = place.is_relative_to(PACKAGE)
    kind = "folder" if place.is_dir() else "file"
    origin = f"package: {place.relative_to(PACKAGE.parent)}" if own else f"{kind}: {place}"
    try:
        return Needed(name, stages, origin, licence, sum(path.stat().st_size for path in files()))
    except UserError as error:
        return Needed(name, stages, origin, licence, None, (str(error),))


def _licence(folder: Path) -> str | None:
    """What a model's card, the README.md in its folder, states as its licence."""
    if folder.is_relative_to(PACKAGE):
        return PACKAGE_LICENCE
    from huggingface_hub import metadata_load

    try:
        card: dict[str, Any] = metadata_load(folder / "README.md") or {}
    except (OSError, ValueError, yaml.YAMLError):
        return None
    stated = card.get("license")
    return stated if isinstance(stated, str) else None


def _from_the_hub(format: Format, model: str, revision: str | None) -> str:
    """The command that downloads a model's files, and its card."""
    pinned = ["--revision", revision] if revision else []
    # as patterns, because a file that is named and not there would be an error
    names = [word for name in (*format.patterns, "README.md") for word in ("--include", name)]
    return shlex.join(["hf", "download", model, *pinned, *names])
