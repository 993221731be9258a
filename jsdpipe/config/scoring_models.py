"""The scoring models that a configuration names in any of its sections, and their checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jsdpipe.base.validation import at
from jsdpipe.models.roles import role_of
from jsdpipe.models.settings import Checkpoint, Settings, WeightsFile


def chosen(config: BaseModel) -> dict[str, Settings | Checkpoint]:
    """The models that a configuration names, and their parts, by key, such as "quality.reward"."""
    return dict(_within(config, ""))


def _within(value: Any, key: str) -> Iterator[tuple[str, Settings | Checkpoint]]:
    if isinstance(value, Settings | Checkpoint):
        yield key, value
    items: Any = ()
    if isinstance(value, BaseModel):
        items = value
    elif isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for name, item in items:
        yield from _within(item, f"{key}.{name}".removeprefix("."))


def check_models(config: BaseModel) -> None:
    """Raise `UserError` if a model has no valid name, or is local and lacks a file."""
    for key, settings in chosen(config).items():
        with at(key):
            settings.files()


def fetch_models(config: BaseModel) -> None:
    """As `check_models`, and download the models that are not on this machine."""
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
    """The local weight files of a section's models; raises `UserError` if one is missing."""
    return sorted({path for settings in _in_section(config, section) for path in settings.files()})


def model_roots(config: BaseModel, section: str) -> list[str | Path]:
    """Where a section's models are defined: names of modules, or files of plugins."""
    models = (settings for settings in _in_section(config, section) if isinstance(settings, Settings))
    return sorted({role_of(settings).root(settings.kind) for settings in models}, key=str)


def _in_section(config: BaseModel, section: str) -> list[Settings | Checkpoint]:
    return [settings for key, settings in chosen(config).items() if key.startswith(f"{section}.")]
