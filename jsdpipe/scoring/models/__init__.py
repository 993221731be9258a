"""The models behind the scores: one adapter a file, found by the names that configurations use.

Torch-free until a model is loaded, so that names and prompts can be checked before work begins. The module of a judge
that cannot read every prompt has `check_prompt(text)`, and imports torch within functions alone.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jsdpipe.errors import UserError
from jsdpipe.miniature import WEIGHTS
from jsdpipe.scoring.models import clip_files
from jsdpipe.validation import at, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from jsdpipe.config import RunConfig
    from jsdpipe.run import Run

# the configuration's key -> the names it may have -> what makes the adapter
ADAPTERS = {
    "quality.reward": {"miniature-clip": "miniature_clip:MiniatureReward"},
    "alignment.captioner": {"miniature": "miniature_captioner:MiniatureCaptioner"},
    "alignment.judge": {"attributes": "attributes:AttributesJudge"},
    "diversity.classifier": {"miniature-clip": "miniature_clip:KindClassifier"},
    "diversity.features": {"miniature-clip": "miniature_clip:MiniatureFeatures"},
}
# the names, at any key, of what is made of the package's CLIP
OF_CLIP = {"miniature-clip", "miniature"}


class Model(Protocol):
    """What all adapters have: their name with the hash of their weights. Images are uint8 (N, H, W, 3)."""

    @property
    def identity(self) -> str: ...


class Reward(Model, Protocol):
    def score(self, text: str, images: "NDArray[np.uint8]") -> "NDArray[np.float64]":
        """How well each image shows the text (N,), about N(0, 1) over true pairs."""


class Captioner(Model, Protocol):
    def caption(self, images: "NDArray[np.uint8]") -> list[str]:
        """One caption an image."""


class Judge(Model, Protocol):
    def merge(self, captions: list[str]) -> str:
        """One caption from those of an asset's views."""

    def grade(self, prompt: str, caption: str) -> int:
        """How well the caption covers the prompt, 1 to 5; `UserError` for a prompt that the judge cannot read."""


class Classifier(Model, Protocol):
    @property
    def classes(self) -> tuple[str, ...]: ...
    def probabilities(self, images: "NDArray[np.uint8]") -> "NDArray[np.float64]":
        """Of each image, the probability of each class (N, K)."""


class Features(Model, Protocol):
    def features(self, images: "NDArray[np.uint8]") -> "NDArray[np.float64]":
        """Of each image, a vector of length 1 (N, D)."""


def names(config: "RunConfig") -> dict[str, str]:
    """What a configuration names at each key of `ADAPTERS`; `UserError` if there is no model of that name."""
    named = {}
    for key in ADAPTERS:
        section, field = key.split(".")
        named[key] = getattr(getattr(config, section), field)
        _place(key, named[key])
    return named


def check_models(config: "RunConfig") -> None:
    """Raise `UserError` if a configuration names a scoring model that there is none of, or that lacks a file."""
    for key, name in names(config).items():
        with at(key):
            files_of(name)


def check_prompts(run: "Run") -> None:
    """Raise `UserError`, with set, file and line, if a run's judge cannot read one of its prompts."""
    module, _ = _place("alignment.judge", run.config.alignment.judge).split(":")
    check_prompt = getattr(importlib.import_module(f"{__name__}.{module}"), "check_prompt", lambda _: None)
    for name, of_set in run.prompts.items():
        # Prompt files have no empty line, so that a prompt's number is its line.
        for line, prompt in enumerate(of_set, start=1):
            with at(f"sets.{name}.file: {run.config.sets[name].file}: line {line}"):
                check_prompt(prompt.text)


def weight_files(config: "RunConfig", section: str) -> list[Path]:
    """The local files of the weights of a section's models; `UserError` if one is missing."""
    of_section = getattr(config, section).model_dump().values()
    return sorted({path for name in of_section for path in files_of(name)})


def folder_of(name: str) -> Path | None:
    """The folder of the weights that a scoring model reads; `None` of one without weights."""
    return WEIGHTS / "clip" if name in OF_CLIP else None


def files_of(name: str) -> list[Path]:
    """The local files that a scoring model reads; `UserError` if one is missing."""
    folder = folder_of(name)
    return clip_files.files(folder) if folder else []


def load(key: str, name: str) -> Any:
    """The adapter that the configuration names at `key`; `UserError` if there is none of that name."""
    module, attribute = _place(key, name).split(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)()


def _place(key: str, name: str) -> str:
    known = ADAPTERS[key]
    if name not in known:
        raise UserError(f"{key}: no model {name!r}; {nearest(name, list(known), 'there are')}")
    return known[name]
