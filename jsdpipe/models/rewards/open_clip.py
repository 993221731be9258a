"""The reward `open-clip`: any CLIP of open_clip."""

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from jsdpipe.model_files.formats import OPEN_CLIP
from jsdpipe.models.normalization import normalized
from jsdpipe.models.roles import REWARDS
from jsdpipe.models.settings import Pretrained

if TYPE_CHECKING:
    from jsdpipe.models.clip import Clip


@REWARDS.register("open-clip")
class OpenClipReward:
    """The cosine of text and image, normalized by the mean and deviation that the settings state."""

    class Settings(Pretrained):
        """Any CLIP of open_clip: the cosine, less its mean over true pairs, over their deviation."""

        kind: Literal["open-clip"]
        mean: float = Field(ge=-1, le=1, description="of the model's cosines of texts and images that belong together")
        std: float = Field(gt=0, le=1, description="their standard deviation")
        format = OPEN_CLIP

    def __init__(self, clip: "Clip", mean: float, std: float) -> None:
        self._clip, self._mean, self._std = clip, mean, std
        self.identity = f"open-clip sha256:{clip.sha256}, {clip.dtype}, normalised by {mean} and {std}"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        from jsdpipe.models.clip import Clip

        return cls(Clip(settings.fetched(), settings.dtype), settings.mean, settings.std)

    def score(self, text: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return normalized(self._clip.cosines(images, [text])[:, 0], self._mean, self._std)
