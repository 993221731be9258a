"""The miniature CLIP as reward, classifier of kinds, and image features."""

from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json
from jsdpipe.miniature import WEIGHTS
from jsdpipe.miniature.grammar import KINDS, Thing
from jsdpipe.model_files.formats import NORMALISATION
from jsdpipe.models import settings
from jsdpipe.models.clip import Clip, normalised


@cache
def shared_clip() -> Clip:
    """The package's CLIP, loaded once a process."""
    return Clip(WEIGHTS / "clip")


class OfClip:
    """An adapter of the package's CLIP, or of another one of the same format."""

    def __init__(self, clip: Clip | None = None) -> None:
        self.clip = clip or shared_clip()

    @classmethod
    def of(cls, settings: settings.OfClip) -> Self:
        """The adapter of the package's CLIP, which has no settings."""
        return cls()

    @property
    def identity(self) -> str:
        return f"miniature-clip sha256:{self.clip.sha256}"


class MiniatureReward(OfClip):
    """The cosine of text and image, normalised by the mean and deviation of `normalisation.json`."""

    def __init__(self, clip: Clip | None = None) -> None:
        super().__init__(clip)
        path = self.clip.folder / NORMALISATION
        try:
            normal = read_json(path)
            self._mean, self._std = float(normal["mean"]), float(normal["std"])
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{path}: must hold the numbers mean and std; train the models again") from None

    def score(self, text: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return normalised(self.clip.cosines(images, [text])[:, 0], self._mean, self._std)


class MiniatureSimilarity(OfClip):
    """The cosine of text and image."""

    def cosines(self, images: NDArray[np.uint8], texts: list[str]) -> NDArray[np.float64]:
        return self.clip.cosines(images, texts)


class KindClassifier(OfClip):
    """Softmax over "a KIND" for the miniature world's kinds."""

    classes = KINDS

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        texts = self.clip.texts([str(Thing(kind)) for kind in KINDS])
        logits = self.clip.logit_scale * (self.clip.images(images) @ texts.T).double()
        return logits.softmax(dim=-1).numpy()


class MiniatureFeatures(OfClip):
    """The CLIP's image features."""

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self.clip.images(images).double().numpy()
