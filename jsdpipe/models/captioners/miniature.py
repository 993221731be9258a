"""The captioner `miniature`: the sentence of the miniature grammar that the package's CLIP finds most probable."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jsdpipe.models.miniature_clip import MiniatureClip
from jsdpipe.models.roles import CAPTIONERS

if TYPE_CHECKING:
    from jsdpipe.models.clip import Clip


@CAPTIONERS.register("miniature")
class MiniatureCaptioner(MiniatureClip):
    """A search over the grammar, without random draws."""

    class Settings(MiniatureClip.Settings):
        """The package's CLIP, and the grammar of the miniature world."""

    def __init__(self, settings: Settings | None = None, device: str = "cpu", clip: "Clip | None" = None) -> None:
        from jsdpipe.models.grammar_search import GrammarSearch

        super().__init__(settings, device, clip)
        self._search = GrammarSearch(self.clip)

    def caption(self, images: NDArray[np.uint8], seed: int = 0) -> list[str]:
        return [self._search.best_caption(feature) for feature in self.clip.images(images)]
