"""The captioner `miniature`: the package's captioner of the miniature world."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import UserError
from jsdpipe.miniature.grammar import WORDS
from jsdpipe.model_files.formats import NETWORK, Format
from jsdpipe.model_files.pretrained import json_object, weights
from jsdpipe.models.roles import CAPTIONERS
from jsdpipe.models.settings import Packaged

if TYPE_CHECKING:
    from jsdpipe.models.miniature_captioner import CaptionerNetwork


def _check_words(folder: Path) -> None:
    """Raise `UserError` if a network was trained for another grammar."""
    file = folder / "config.json"
    if json_object(file).get("words") != {name: list(words) for name, words in WORDS.items()}:
        raise UserError(
            f"{file}: words are not those of the package's grammar, so code and weights are of different versions; "
            "install the package again, or run `jsdpipe miniature train captioner`"
        )


@CAPTIONERS.register("miniature")
class MiniatureCaptioner:
    """A network trained to say what pictures of the miniature world show, without random draws."""

    class Settings(Packaged):
        """The package's captioner, which speaks the grammar of the miniature world."""

        format: ClassVar[Format] = replace(NETWORK, check=_check_words)
        within = "captioner"

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        self.folder, self.device = settings.folder(), device
        self.identity = f"miniature sha256:{settings.format.digest(self.folder)}"

    @cached_property
    def _network(self) -> "CaptionerNetwork":
        """The network, loaded when the first image needs a caption, because all captions may be cached."""
        import torch
        from transformers.utils import logging

        from jsdpipe.models.miniature_captioner import CaptionerNetwork

        logging.disable_progress_bar()
        network: CaptionerNetwork = weights(CaptionerNetwork, self.folder, dtype=torch.float32)
        return network.to(self.device).eval()

    def caption(self, images: NDArray[np.uint8], seed: int = 0) -> list[str]:
        from jsdpipe.models.miniature_captioner import captions

        return captions(self._network, images)
