"""The reward `open-clip`: any CLIP of open_clip."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from jsdpipe.model_files.formats import OPEN_CLIP
from jsdpipe.models.normalization import normalized
from jsdpipe.models.roles import REWARDS
from jsdpipe.models.settings import Pretrained


@REWARDS.register("open-clip")
class OpenClipReward:
    """The cosine of text and image, normalized by the mean and deviation that the settings state."""

    class Settings(Pretrained):
        """Any CLIP of open_clip: the cosine, normalized over matching images and texts."""

        mean: float = Field(ge=-1, le=1, description="mean of the model's cosines over matching texts and images")
        std: float = Field(gt=0, le=1, description="their standard deviation")
        format = OPEN_CLIP

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        from jsdpipe.models.clip import Clip

        self._clip = Clip(settings.fetched(), device, settings.dtype)
        self._mean, self._std = settings.mean, settings.std
        self.identity = (
            f"open-clip sha256:{self._clip.sha256}, {self._clip.dtype}, normalised by {self._mean} and {self._std}"
        )

    def score(self, text: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return normalized(self._clip.cosines(images, [text])[:, 0], self._mean, self._std)
