"""The classifier `miniature-clip`: the package's CLIP over the miniature world's kinds."""

import numpy as np
from numpy.typing import NDArray

from jsdpipe.miniature.grammar import KINDS, Thing
from jsdpipe.models.miniature_clip import MiniatureClip
from jsdpipe.models.roles import CLASSIFIERS


@CLASSIFIERS.register("miniature-clip")
class KindClassifier(MiniatureClip):
    """Softmax over "a KIND" for the miniature world's kinds."""

    class Settings(MiniatureClip.Settings):
        """The package's CLIP over the miniature world's kinds."""

    classes = KINDS

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        texts = self.clip.texts([str(Thing(kind)) for kind in KINDS])
        logits = self.clip.logit_scale * (self.clip.images(images) @ texts.T).double()
        return logits.softmax(dim=-1).numpy()
