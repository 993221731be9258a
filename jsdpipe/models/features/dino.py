"""The features `dino`: the class token of DINO's vision transformer (arXiv 2104.14294), DiverseDream's features."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jsdpipe.model_files.formats import NETWORK
from jsdpipe.model_files.pretrained import weights
from jsdpipe.models.roles import FEATURES
from jsdpipe.models.settings import Pretrained

if TYPE_CHECKING:
    from torch import Tensor


@FEATURES.register("dino")
class Dino:
    """The unit-length class token after the last layer's norm.

    A side of 299 pixels has 37 patches of 8 pixels; the last three pixels are ignored. The position embeddings, of 28
    patches per side in training, are interpolated to 37.
    """

    class Settings(Pretrained):
        """DINO's vision transformer, ViT-B/8 in DiverseDream's protocol: the class token."""

        format = NETWORK

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        import torch
        from transformers import ViTModel
        from transformers.utils import logging

        from jsdpipe.base.device import number_format
        from jsdpipe.models.preprocessing import INPUT, SIZE

        logging.disable_progress_bar()
        self.device, self._dtype = device, number_format(settings.dtype, device)
        folder = settings.fetched()
        model = weights(ViTModel, folder, dtype=torch.float32, add_pooling_layer=False)
        patches = SIZE // model.config.patch_size
        model.embeddings.position_embeddings.data = stretched(model.embeddings.position_embeddings.data, patches)
        model.embeddings.image_size = (SIZE, SIZE)
        self._model = model.to(self.device, self._dtype).eval()
        kept = str(self._dtype).removeprefix("torch.")
        self.identity = f"dino sha256:{NETWORK.digest(folder)} in {kept}, {patches} x {patches} patches of {INPUT}"

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        import torch

        from jsdpipe.models.preprocessing import batches

        with torch.no_grad():
            pixels = (batch.to(self._dtype) for batch in batches(images, self.device))
            tokens = torch.cat([self._model(batch).last_hidden_state[:, 0] for batch in pixels])
            return torch.nn.functional.normalize(tokens.double(), dim=-1).cpu().numpy()


def stretched(positions: "Tensor", patches: int) -> "Tensor":
    """Position embeddings (1, 1 + N, D) of the class token and a square of patches, interpolated to `patches` per side.

    As in DINO's code, the scale is a tenth of a patch too large, which shifts the last patch by 0.07 of a patch.
    """
    import torch

    side = round((positions.shape[1] - 1) ** 0.5)
    grid = positions[:, 1:].unflatten(1, (side, side)).movedim(-1, 1)
    grid = torch.nn.functional.interpolate(grid, scale_factor=(patches + 0.1) / side, mode="bicubic")
    return torch.cat([positions[:, :1], grid.flatten(2).mT], dim=1)
