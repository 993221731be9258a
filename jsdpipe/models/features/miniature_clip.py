"""The features `miniature-clip`: image features of the package's CLIP."""

import numpy as np
from numpy.typing import NDArray

from jsdpipe.models.miniature_clip import MiniatureClip
from jsdpipe.models.roles import FEATURES


@FEATURES.register("miniature-clip")
class MiniatureFeatures(MiniatureClip):
    """The CLIP's image features."""

    class Settings(MiniatureClip.Settings):
        """The package's CLIP."""

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self.clip.images(images).double().numpy()
