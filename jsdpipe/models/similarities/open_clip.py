"""The similarity `open-clip`: any CLIP of open_clip."""

import numpy as np
from numpy.typing import NDArray

from jsdpipe.model_files.formats import OPEN_CLIP
from jsdpipe.models.roles import SIMILARITIES
from jsdpipe.models.settings import Pretrained


@SIMILARITIES.register("open-clip")
class OpenClipSimilarity:
    """The cosine of text and image."""

    class Settings(Pretrained):
        """Any CLIP of open_clip."""

        format = OPEN_CLIP

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        from jsdpipe.models.clip import Clip

        self._clip = Clip(settings.fetched(), device, settings.dtype)
        self.identity = f"open-clip sha256:{self._clip.sha256}, {self._clip.dtype}"

    def cosines(self, images: NDArray[np.uint8], texts: list[str]) -> NDArray[np.float64]:
        return self._clip.cosines(images, texts)
