"""A CLIP in open_clip's folder format: normalised features of texts and images."""

from functools import cached_property
from pathlib import Path

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from jsdpipe.device import device
from jsdpipe.errors import UserError
from jsdpipe.model_files import OPEN_CLIP

BATCH = 128


class Clip:
    """An open_clip model from a local folder, float32, on the GPU if there is one."""

    def __init__(self, folder: Path) -> None:
        OPEN_CLIP.files(folder)
        self.folder = folder
        self.device = device()
        try:
            model, _, self._preprocess = open_clip.create_model_and_transforms(
                f"local-dir:{folder.resolve()}", device=self.device
            )
            self._tokenizer = open_clip.get_tokenizer(f"local-dir:{folder.resolve()}")
        except Exception as error:  # open_clip raises errors of any kind for a folder it cannot read
            raise UserError(f"{folder}: cannot be read as an open_clip model ({error}); restore the folder") from None
        self._model = model.eval()
        self._texts: dict[str, Tensor] = {}

    @cached_property
    def sha256(self) -> str:
        return OPEN_CLIP.digest(self.folder)

    @property
    def logit_scale(self) -> float:
        """The factor that turns cosines into logits."""
        return float(self._model.logit_scale.detach().exp())

    @torch.no_grad()
    def texts(self, texts: list[str]) -> Tensor:
        """Features (N, D) of length 1; each text is encoded once."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._texts]
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            encoded = self._model.encode_text(self._tokenizer(batch).to(self.device), normalize=True).cpu()
            self._texts.update(zip(batch, encoded, strict=True))
        return torch.stack([self._texts[text] for text in texts])

    @torch.no_grad()
    def images(self, images: NDArray[np.uint8]) -> Tensor:
        """Features (N, D) of length 1 of uint8 images (N, H, W, 3), pre-processed as open_clip does (PIL)."""
        parts = []
        for start in range(0, len(images), BATCH):
            batch = [self._preprocess(Image.fromarray(image)) for image in images[start : start + BATCH]]
            parts.append(self._model.encode_image(torch.stack(batch).to(self.device), normalize=True).cpu())
        return torch.cat(parts)
