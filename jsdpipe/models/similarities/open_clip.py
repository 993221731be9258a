"""The similarity `open-clip`: any CLIP of open_clip."""

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from jsdpipe.model_files.formats import OPEN_CLIP
from jsdpipe.models.roles import SIMILARITIES
from jsdpipe.models.settings import Pretrained

if TYPE_CHECKING:
    from jsdpipe.models.clip import Clip


@SIMILARITIES.register("open-clip")
class OpenClipSimilarity:
    """The cosine of text and image."""

    class Settings(Pretrained):
        """Any CLIP of open_clip."""

        kind: Literal["open-clip"]
        format = OPEN_CLIP

    def __init__(self, clip: "Clip") -> None:
        self._clip = clip
        self.identity = f"open-clip sha256:{clip.sha256}, {clip.dtype}"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        from jsdpipe.models.clip import Clip

        return cls(Clip(settings.fetched(), settings.dtype))

    def cosines(self, images: NDArray[np.uint8], texts: list[str]) -> NDArray[np.float64]:
        return self._clip.cosines(images, texts)
