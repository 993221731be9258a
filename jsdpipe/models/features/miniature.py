"""The features `miniature`: what the package's classifier of kinds sees before it decides."""

import numpy as np
from numpy.typing import NDArray

from jsdpipe.models.miniature_classifier import MiniatureClassifier, features
from jsdpipe.models.roles import FEATURES


@FEATURES.register("miniature")
class KindFeatures(MiniatureClassifier):
    """The last layer's features, mean over the image; they tell kinds and colors."""

    class Settings(MiniatureClassifier.Settings):
        """The package's classifier of the miniature world's kinds."""

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return features(self.network, images)
