"""The features `miniature-clip`: those of the package's CLIP."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jsdpipe.models.miniature_clip import MiniatureClip
from jsdpipe.models.roles import FEATURES


@FEATURES.register("miniature-clip")
class MiniatureFeatures(MiniatureClip):
    """The CLIP's image features."""

    class Settings(MiniatureClip.Settings):
        kind: Literal["miniature-clip"]

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self.clip.images(images).double().numpy()
