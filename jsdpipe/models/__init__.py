"""The models behind the scores: their settings, and one adapter a file.

Torch-free until a model is loaded, so that files and prompts can be checked before work begins: a judge's module
imports torch within functions alone, and a judge that cannot read every prompt has `check_prompt(text)`.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jsdpipe.base.validation import at
from jsdpipe.models.settings import Settings, Stored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from jsdpipe.config.run_config import RunConfig
    from jsdpipe.pipeline.run import Run


class Model(Protocol):
    """What all adapters have: their name with the hash of their weights. Images are uint8 (N, H, W, 3)."""

    @property
    def identity(self) -> str: ...


class Reward(Model, Protocol):
    def score(self, text: str, images: "NDArray[np.uint8]") -> "NDArray[np.float64]":
        """How well each image shows the text (N,), about N(0, 1) over true pairs."""


class Captioner(Model, Protocol):
    def caption(self, images: "NDArray[np.uint8]", seed: int) -> list[str]:
        """One caption an image; the seed is that of the draws, if there are any."""


class Judge(Model, Protocol):
    """`merge` and `grade` raise `Unanswered` (`language_judge.py`) if a language model does not answer in form."""

    def merge(self, captions: list[str]) -> str:
        """One caption from those of an asset's views."""

    def grade(self, prompt: str, caption: str) -> int:
        """How well the caption covers the prompt, 1 to 5; `UserError` for a prompt that the judge cannot read."""

    def transcript(self) -> list[str]:
        """The raw answers of a language model since they were last taken; none of another judge."""


class Similarity(Model, Protocol):
    def cosines(self, images: "NDArray[np.uint8]", texts: list[str]) -> "NDArray[np.float64]":
        """The cosine similarity of each image with each text (N, M)."""


class Classifier(Model, Protocol):
    @property
    def classes(self) -> tuple[str, ...]: ...
    def probabilities(self, images: "NDArray[np.uint8]") -> "NDArray[np.float64]":
        """Of each image, the probability of each class (N, K)."""


class Features(Model, Protocol):
    def features(self, images: "NDArray[np.uint8]") -> "NDArray[np.float64]":
        """Of each image, a vector of length 1 (N, D)."""


def chosen(config: "RunConfig") -> dict[str, Settings | Stored]:
    """The models that a configuration names, by its keys, such as "quality.reward", and their parts from elsewhere."""
    named = {f"{section}.{key}": value for section in config.scores for key, value in getattr(config, section)}
    models = {key: value for key, value in named.items() if isinstance(value, Settings)}
    parts = {f"{key}.{name}": value for key, model in models.items() for name, value in model}
    return models | {key: value for key, value in parts.items() if isinstance(value, Stored)}


def check_models(config: "RunConfig") -> None:
    """Raise `UserError` if a configuration's scoring model is none, or a local one that lacks a file."""
    for key, settings in chosen(config).items():
        with at(key):
            settings.files()


def fetch_models(config: "RunConfig") -> None:
    """As `check_models`, and what is on the hub is downloaded, if it is not here."""
    check_models(config)
    for key, settings in chosen(config).items():
        if isinstance(settings, Stored):
            with at(key):
                settings.format.folder(settings.model, settings.revision)


def check_prompt(config: "RunConfig", prompt: str) -> None:
    """Raise `UserError` if a configuration's judge cannot read a prompt."""
    if config.alignment:
        getattr(_class_of(config.alignment.judge), "check_prompt", lambda _: None)(prompt)


def check_prompts(run: "Run") -> None:
    """As `check_prompt`, of all of a run's prompts, with set, file and line."""
    for place, prompt in run.placed_prompts():
        with at(place):
            check_prompt(run.config, prompt.text)


def weight_files(config: "RunConfig", section: str) -> list[Path]:
    """The local files of the weights of a section's models; `UserError` if one is missing."""
    of_section = [settings for key, settings in chosen(config).items() if key.startswith(f"{section}.")]
    return sorted({path for settings in of_section for path in settings.files()})


def load(settings: Settings) -> Any:
    """The adapter of a model, loaded; `UserError` if its files are missing or are not of that model."""
    return _class_of(settings).of(settings)


def load_judge(settings: Settings, calls: Path | None = None) -> "Judge":
    """A judge, loaded as by `load`; calls that cost money are counted in the file `calls`."""
    judge: Judge = _class_of(settings).of(settings, calls)
    return judge


def _class_of(settings: Settings) -> Any:
    module, name = settings.adapter.split(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
