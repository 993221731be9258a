"""The reward `miniature-clip`: the package's CLIP."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json
from jsdpipe.model_files.formats import NORMALISATION, TOKENIZED_CLIP
from jsdpipe.models.miniature_clip import MiniatureClip
from jsdpipe.models.normalization import normalized
from jsdpipe.models.roles import REWARDS

if TYPE_CHECKING:
    from jsdpipe.models.clip import Clip


@REWARDS.register("miniature-clip")
class MiniatureReward(MiniatureClip):
    """The cosine of text and image, normalized by the mean and deviation of `normalisation.json`."""

    class Settings(MiniatureClip.Settings):
        """The package's CLIP: the cosine, normalized over matching images and texts."""

        format = replace(TOKENIZED_CLIP, required=(*TOKENIZED_CLIP.required, (NORMALISATION,)))

    def __init__(self, settings: Settings | None = None, device: str = "cpu", clip: "Clip | None" = None) -> None:
        super().__init__(settings, device, clip)
        path = self.clip.folder / NORMALISATION
        try:
            normal = read_json(path)
            self._mean, self._std = float(normal["mean"]), float(normal["std"])
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{path}: must hold the numbers mean and std; train the models again") from None

    def score(self, text: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return normalized(self.clip.cosines(images, [text])[:, 0], self._mean, self._std)
