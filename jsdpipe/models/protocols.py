"""What a model of each role can do: the interfaces of the adapters. Images are uint8 (N, H, W, 3), in RGB."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Model(Protocol):
    """What all adapters have, beside a class `Settings`.

    They are called with the settings and a device, "cpu" or "cuda". Calling raises `UserError` if files are missing, or
    are of another model.
    """

    @property
    def identity(self) -> str:
        """The model's name with whatever its numbers depend on, such as the hash of its weights."""


class Reward(Model, Protocol):
    def score(self, text: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """How well each image shows the text (N,), about N(0, 1) over images and texts that belong together."""


class Captioner(Model, Protocol):
    def caption(self, images: NDArray[np.uint8], seed: int) -> list[str]:
        """A caption of each image; the seed is for random draws, if there are any."""


class Judge(Model, Protocol):
    """A judge is called with a file too, or `None`: there it counts the calls that cost money.

    `merge` and `grade` raise `Unanswered` (`language_judge.py`) if a language model does not answer in form.
    """

    def merge(self, captions: list[str]) -> str:
        """One caption from those of an asset's views."""

    def grade(self, prompt: str, caption: str) -> int:
        """How well the caption covers the prompt, 1 to 5."""

    def transcript(self) -> list[str]:
        """A language model's raw answers since the last call; another judge has none."""


class Similarity(Model, Protocol):
    def cosines(self, images: NDArray[np.uint8], texts: list[str]) -> NDArray[np.float64]:
        """The cosine similarity of each image with each text (N, M)."""


class Classifier(Model, Protocol):
    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the K classes."""

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Of each image, the probability of each class (N, K)."""


class Features(Model, Protocol):
    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Of each image, a vector of length 1 (N, D)."""
