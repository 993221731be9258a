"""The similarity `miniature-clip`: the package's CLIP."""

import numpy as np
from numpy.typing import NDArray

from jsdpipe.models.miniature_clip import MiniatureClip
from jsdpipe.models.roles import SIMILARITIES


@SIMILARITIES.register("miniature-clip")
class MiniatureSimilarity(MiniatureClip):
    """The cosine of text and image."""

    class Settings(MiniatureClip.Settings):
        """The package's CLIP."""

    def cosines(self, images: NDArray[np.uint8], texts: list[str]) -> NDArray[np.float64]:
        return self.clip.cosines(images, texts)
