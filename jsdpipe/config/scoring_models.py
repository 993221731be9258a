"""The scoring models that a configuration names: found in whatever section they stand, and checked."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jsdpipe.base.validation import at
from jsdpipe.models.roles import role_of
from jsdpipe.models.settings import Checkpoint, Settings, WeightsFile


def chosen(config: BaseModel) -> dict[str, Settings | Checkpoint]:
    """The models that a configuration names and their parts, by their keys, such as "quality.reward"."""
    return dict(_within(config, ""))


def _within(value: Any, key: str) -> Iterator[tuple[str, Settings | Checkpoint]]:
    if isinstance(value, Settings | Checkpoint):
        yield key, value
    below: Any = ()
    if isinstance(value, BaseModel):
        below = value
    elif isinstance(value, Mapping):
        below = value.items()
    elif isinstance(value, list | tuple):
        below = enumerate(value)
    for name, of in below:
        yield from _within(of, f"{key}.{name}".removeprefix("."))


def check_models(config: BaseModel) -> None:
    """Raise `UserError` if a model cannot be found, or is a local one that lacks a file."""
    for key, settings in chosen(config).items():
        with at(key):
            settings.files()


def fetch_models(config: BaseModel) -> None:
    """As `check_models`; what is to be downloaded and is not here is downloaded."""
    check_models(config)
    for key, settings in chosen(config).items():
        if isinstance(settings, Checkpoint | WeightsFile):
            with at(key):
                settings.fetched()


def check_prompt(config: BaseModel, prompt: str) -> None:
    """Raise `UserError` if one of a configuration's models cannot read a prompt."""
    for settings in chosen(config).values():
        if isinstance(settings, Settings):
            settings.check_prompt(prompt)


def weight_files(config: BaseModel, section: str) -> list[Path]:
    """The local files of the weights of a section's models; `UserError` if one is missing."""
    return sorted({path for settings in _of(config, section) for path in settings.files()})


def model_roots(config: BaseModel, section: str) -> list[str | Path]:
    """Where the code of a section's models begins: names of modules, files of plugins."""
    models = (settings for settings in _of(config, section) if isinstance(settings, Settings))
    return sorted({role_of(settings).root(settings.kind) for settings in models}, key=str)


def _of(config: BaseModel, section: str) -> list[Settings | Checkpoint]:
    return [settings for key, settings in chosen(config).items() if key.startswith(f"{section}.")]
