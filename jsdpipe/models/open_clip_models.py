"""Any CLIP of open_clip, as reward and for the similarity of texts and images."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from jsdpipe.models import settings
from jsdpipe.models.clip import Clip, normalised
from jsdpipe.models.settings import Pretrained


def _clip(settings: Pretrained) -> Clip:
    """The model that the settings name, downloaded first if it is not here."""
    return Clip(settings.format.folder(settings.model, settings.revision), settings.dtype)


class OpenClipSimilarity:
    """The cosine of text and image."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self.identity = f"open-clip sha256:{clip.sha256}, {clip.dtype}"

    @classmethod
    def of(cls, settings: settings.OpenClipSimilarity) -> Self:
        return cls(_clip(settings))

    def cosines(self, images: NDArray[np.uint8], texts: list[str]) -> NDArray[np.float64]:
        return self._clip.cosines(images, texts)


class OpenClipReward:
    """The cosine of text and image, normalised by the mean and deviation that the settings state."""

    def __init__(self, clip: Clip, mean: float, std: float) -> None:
        self._clip, self._mean, self._std = clip, mean, std
        self.identity = f"open-clip sha256:{clip.sha256}, {clip.dtype}, normalised by {mean} and {std}"

    @classmethod
    def of(cls, settings: settings.OpenClipReward) -> Self:
        return cls(_clip(settings), settings.mean, settings.std)

    def score(self, text: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return normalised(self._clip.cosines(images, [text])[:, 0], self._mean, self._std)
