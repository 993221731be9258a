"""The classifier `miniature`: the package's classifier of the miniature world's kinds."""

import numpy as np
from numpy.typing import NDArray

from jsdpipe.miniature.grammar import KINDS
from jsdpipe.models.miniature_classifier import MiniatureClassifier, probabilities
from jsdpipe.models.roles import CLASSIFIERS


@CLASSIFIERS.register("miniature")
class KindClassifier(MiniatureClassifier):
    """Softmax over the miniature world's kinds; two things in an image share the probability."""

    class Settings(MiniatureClassifier.Settings):
        """The package's classifier of the miniature world's kinds."""

    classes = KINDS

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return probabilities(self.network, images)
