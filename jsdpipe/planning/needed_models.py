"""The models that a configuration needs, and whether they are on this machine; the network is not used."""

import inspect
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rich.filesize import decimal

from jsdpipe.base.columns import columns
from jsdpipe.base.errors import UserError
from jsdpipe.base.validation import at
from jsdpipe.config.run_config import RunConfig
from jsdpipe.config.scoring_models import chosen
from jsdpipe.miniature import WEIGHTS
from jsdpipe.model_files.facts import KNOWN, MOVED, PACKAGE_LICENSE
from jsdpipe.model_files.formats import PRIOR, UNET, Format
from jsdpipe.models.settings import Checkpoint, Endpoint, WeightsFile
from jsdpipe.objectives.settings import OtherUNet

PACKAGE = WEIGHTS.parent.parent


@dataclass(frozen=True)
class Needed:
    """A model that stages need, and its origin.

    Args:
        size: bytes of its files, or of the download if it is missing; `None` if unknown.
        mends: remedies if it is missing, one per line; none if it is present.
        key: its key in the configuration, if it is missing and its stage can download it.
        download: the command that downloads it in advance, if it is missing and its stage can download it.
    """

    name: str
    stages: tuple[str, ...]
    origin: str
    license: str
    size: int | None
    mends: tuple[str, ...] = ()
    key: str = ""
    download: str | None = None

    @property
    def amount(self) -> str:
        """The size as text; "-" for a model without files, "?" if unknown."""
        return "?" if self.size is None else decimal(self.size) if self.size else "-"


def needed(config: RunConfig, name: str) -> list[Needed]:
    """The distinct models of a configuration, which errors call `name`; the prior comes first, then adapters' models.

    Raises:
        UserError: a model's name is neither a folder nor a hub id; a model that is not on this machine is no error.
    """
    found = []
    if config.prior:
        with at(f"{name}: prior.model"):
            found = [prior(config.prior.model, config.prior.revision)]
    found += _adapters(config, name)
    named = chosen(config)
    sharing: dict[Path | str, list[str]] = {}
    for key, settings in named.items():
        with at(f"{name}: {key}"):
            sharing.setdefault(settings.folder() or settings.name, []).append(key)
    for keys in sharing.values():
        names = ", ".join(dict.fromkeys(named[key].name for key in keys))
        stages = tuple(dict.fromkeys(key.split(".")[0] for key in keys))
        settings = named[keys[0]]
        if isinstance(settings, Endpoint):
            found.append(_endpoint(settings, stages, keys[0]))
        elif isinstance(settings, Checkpoint):
            found.append(_pretrained(settings.format, settings.model, settings.revision, stages, keys[0]))
        elif isinstance(settings, WeightsFile):
            found.append(_weights_file(settings, stages, keys[0]))
        else:
            place = settings.folder() or Path(inspect.getfile(type(settings)))
            found.append(_local(names, stages, place, _license(place) or "unstated", settings.files))
    return found


def _adapters(config: RunConfig, name: str) -> list[Needed]:
    """The models whose U-Nets adapters sit on, beside the prior."""
    found: dict[OtherUNet, Needed] = {}
    for method, of in config.methods.items():
        key = f"methods.{method}.override.objective.adapter"
        with at(f"{name}: methods.{method}"):
            adapter = of.adapter()
            if adapter and adapter not in found:
                with at("objective.adapter"):
                    found[adapter] = _pretrained(UNET, adapter.model, adapter.revision, ("generate",), key)
    return list(found.values())


def prior(model: str, revision: str | None = None) -> Needed:
    """The prior of this name and revision; raises `UserError` if the name is neither a folder nor a hub id."""
    return _pretrained(PRIOR, model, revision, ("generate",), "prior")


def _pretrained(format: Format, model: str, revision: str | None, stages: tuple[str, ...], key: str) -> Needed:
    """A model in a format, which the configuration names at `key`."""
    if folder := format.local_folder(model, revision):
        return _local(model, stages, folder, _license(folder) or "unstated", partial(format.files, folder))
    facts, cached = KNOWN.get(MOVED.get(model, model)), format.cached_folder(model, revision)
    license = (facts.license if facts else cached and _license(cached)) or "unknown"
    origin = f"hub: {model}@{revision or 'main'}"
    if cached:
        here = _local(model, stages, cached, license, partial(format.files, cached))
        if not here.mends:
            return Needed(model, stages, origin, license, here.size)
    size = facts.download if facts and format is not UNET else None
    if model in MOVED:
        mend = f"withdrawn by its owner; give {MOVED[model]} as {key}.model, which has the same weights"
        return Needed(model, stages, origin, license, size, (mend,))
    command = _from_the_hub(format, model, revision)
    place = f"{key}.model" + (" or --prior" if key == "prior" else "")
    mends = (
        f"online: the stage {stages[0]} downloads it when it first needs it; to download it now: {command}",
        f"offline: run this elsewhere with --local-dir FOLDER, copy the folder here, and name it as {place}",
    )
    return Needed(model, stages, origin, license, size, mends, f"{key}.model", command)


def _weights_file(settings: WeightsFile, stages: tuple[str, ...], key: str) -> Needed:
    """A model whose weights are one file, which is named or downloaded."""
    if settings.weights:
        return _local(settings.name, stages, settings.file, "unstated", settings.files)
    file, facts, origin = settings.file, KNOWN.get(settings.kind), f"download: {settings.url}"
    license, size = (facts.license, facts.download) if facts else ("unknown", None)
    if file.is_file():
        return Needed(settings.name, stages, origin, license, file.stat().st_size)
    command = shlex.join(["curl", "--create-dirs", "-o", str(file), settings.url])
    mends = (
        f"online: the stage {stages[0]} downloads it when it first needs it; to download it now: {command}",
        f"offline: download it elsewhere, and copy it to {file}, or name it as {key}.weights",
    )
    return Needed(settings.name, stages, origin, license, size, mends, key, command)


def _endpoint(settings: Endpoint, stages: tuple[str, ...], key: str) -> Needed:
    """A model behind an endpoint; it is missing if its API key is."""
    variable = settings.key_env
    mends = () if not variable or os.environ.get(variable) else (f"{key}.key_env: export the key in {variable}",)
    return Needed(settings.name, stages, f"endpoint: {settings.base_url}", "unknown", 0, mends)


def table(found: list[Needed]) -> str:
    """A text table of models, one per line, with a header."""
    rows = [("model", "used by", "state", "size", "license", "from")]
    for model in found:
        state = "missing" if model.mends else "present"
        rows.append((model.name, ", ".join(model.stages), state, model.amount, model.license, model.origin))
    return columns(rows)


def _local(name: str, stages: tuple[str, ...], place: Path, license: str, files: Callable[[], list[Path]]) -> Needed:
    """A model in a folder or file on this machine."""
    own = place.is_relative_to(PACKAGE)
    kind = "folder" if place.is_dir() else "file"
    origin = f"package: {place.relative_to(PACKAGE.parent)}" if own else f"{kind}: {place}"
    try:
        return Needed(name, stages, origin, license, sum(path.stat().st_size for path in files()))
    except UserError as error:
        return Needed(name, stages, origin, license, None, (str(error),))


def _license(folder: Path) -> str | None:
    """The license that a model's card (README.md in its folder) states, or None."""
    if folder.is_relative_to(PACKAGE):
        return PACKAGE_LICENSE
    from huggingface_hub import metadata_load

    try:
        card: dict[str, Any] = metadata_load(folder / "README.md") or {}
    except (OSError, ValueError, yaml.YAMLError):
        return None
    stated = card.get("license")
    return stated if isinstance(stated, str) else None


def _from_the_hub(format: Format, model: str, revision: str | None) -> str:
    """The command that downloads a model's files and its card."""
    pinned = ["--revision", revision] if revision else []
    # as patterns, because naming a file that does not exist would be an error
    names = [word for name in (*format.patterns, "README.md") for word in ("--include", name)]
    return shlex.join(["hf", "download", model, *pinned, *names])
