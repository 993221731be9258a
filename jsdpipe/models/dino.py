"""DiverseDream's image features: the class token of DINO's vision transformer (arXiv 2104.14294)."""

from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from jsdpipe.base.device import device
from jsdpipe.model_files.formats import VIT
from jsdpipe.model_files.pretrained import weights
from jsdpipe.models import settings
from jsdpipe.models.imagenet import INPUT, SIZE, batches


class Dino:
    """The class token after the last layer's norm, of length 1.

    A side of 299 pixels is 37 patches of 8, the last three pixels unseen, and the position embeddings of the training's
    28 are stretched to them.
    """

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        from transformers import ViTModel
        from transformers.utils import logging

        logging.disable_progress_bar()
        self.device, self._dtype = device(), dtype
        model = weights(ViTModel, folder, dtype=torch.float32, add_pooling_layer=False)
        patches = SIZE // model.config.patch_size
        model.embeddings.position_embeddings.data = stretched(model.embeddings.position_embeddings.data, patches)
        model.embeddings.image_size = (SIZE, SIZE)
        self._model = model.to(self.device, dtype).eval()
        kept = str(dtype).removeprefix("torch.")
        self.identity = f"dino sha256:{VIT.digest(folder)} in {kept}, {patches} x {patches} patches of {INPUT}"

    @classmethod
    def of(cls, settings: settings.Dino) -> Self:
        """The model that settings name, fetched from the hub if need be."""
        dtype = getattr(torch, settings.dtype) if device() == "cuda" else torch.float32
        return cls(VIT.folder(settings.model, settings.revision), dtype)

    @torch.inference_mode()
    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        tokens = [self._model(batch.to(self._dtype)).last_hidden_state[:, 0] for batch in batches(images, self.device)]
        return normalize(torch.cat(tokens).double(), dim=-1).cpu().numpy()


def stretched(positions: Tensor, patches: int) -> Tensor:
    """Position embeddings (1, 1 + N, D), of the class token and a square of patches, for `patches` a side.

    As in DINO's code, the scale has a tenth of a patch more than it needs, which moves the last one by 0.07 of a patch.
    """
    side = round((positions.shape[1] - 1) ** 0.5)
    grid = positions[:, 1:].unflatten(1, (side, side)).movedim(-1, 1)
    grid = interpolate(grid, scale_factor=(patches + 0.1) / side, mode="bicubic")
    return torch.cat([positions[:, :1], grid.flatten(2).mT], dim=1)
