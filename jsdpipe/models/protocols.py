"""The interfaces of the adapters of each role. Images are uint8 (N, H, W, 3) in RGB."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Model(Protocol):
    """The members of all adapters, besides a class `Settings`.

    An adapter is constructed from its settings and a device, "cpu" or "cuda". This raises `UserError` if files are
    missing, or are of another model.
    """

    @property
    def identity(self) -> str:
        """The model's name with all that its numbers depend on, such as the hash of its weights."""


class Reward(Model, Protocol):
    def score(self, text: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """How well each image shows the text (N,); about N(0, 1) over matching images and texts."""


class Captioner(Model, Protocol):
    def caption(self, images: NDArray[np.uint8], seed: int) -> list[str]:
        """A caption for each image; `seed` is for random draws, if there are any."""


class Judge(Model, Protocol):
    """Its constructor's third argument is the file in which it counts calls that cost money, or `None`.

    `merge` and `grade` raise `Unanswered` (`language_judge.py`) if a language model's answer lacks the required form.
    """

    def merge(self, captions: list[str]) -> str:
        """One caption that merges those of an asset's views."""

    def grade(self, prompt: str, caption: str) -> int:
        """How well the caption covers the prompt, from 1 to 5."""

    def transcript(self) -> list[str]:
        """A language model's raw answers since the last call; other judges return an empty list."""


class Similarity(Model, Protocol):
    def cosines(self, images: NDArray[np.uint8], texts: list[str]) -> NDArray[np.float64]:
        """The cosine similarity of each image with each text (N, M)."""


class Classifier(Model, Protocol):
    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the K classes."""

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The probabilities (N, K) of the classes for each image."""


class Features(Model, Protocol):
    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Unit-length feature vectors (N, D) of the images."""
