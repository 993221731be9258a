"""A CLIP in open_clip's folder format: unit-length features of texts and images, and their cosines."""

from functools import cached_property
from pathlib import Path

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from jsdpipe.base.device import number_format
from jsdpipe.base.errors import UserError, first_line
from jsdpipe.model_files.formats import OPEN_CLIP, TOKENIZED_CLIP

BATCH = 128
PRECISION = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}  # open_clip's names


class Clip:
    """An open_clip model from a local folder; `dtype` is that of its weights on a GPU; on a CPU it is float32."""

    def __init__(self, folder: Path, device: str = "cpu", dtype: str = "float32") -> None:
        OPEN_CLIP.files(folder)
        self.folder = folder
        self.device, self.dtype = device, number_format(dtype, device)
        name = f"local-dir:{folder.resolve()}"
        try:
            if open_clip.get_model_config(name)["text_cfg"].get("hf_tokenizer_name"):
                TOKENIZED_CLIP.files(folder)  # if a tokenizer's file is missing, transformers makes an empty tokenizer
            model, _, self._preprocess = open_clip.create_model_and_transforms(
                name, precision=PRECISION[self.dtype], device=self.device
            )
            self._tokenizer = open_clip.get_tokenizer(name)
        except UserError:
            raise
        except Exception as error:  # open_clip raises errors of any kind for a folder it cannot read
            raise UserError(
                f"{folder}: cannot be read as an open_clip model ({first_line(error)}); restore the folder"
            ) from None
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
        """Unit-length features (N, D); each text is encoded only once."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._texts]
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            encoded = self._model.encode_text(self._tokenizer(batch).to(self.device))
            self._texts.update(zip(batch, _unit(encoded), strict=True))
        return torch.stack([self._texts[text] for text in texts])

    @torch.no_grad()
    def images(self, images: NDArray[np.uint8]) -> Tensor:
        """Unit-length features (N, D) of uint8 images (N, H, W, 3), with open_clip's preprocessing (PIL)."""
        parts = []
        for start in range(0, len(images), BATCH):
            batch = [self._preprocess(Image.fromarray(image)) for image in images[start : start + BATCH]]
            parts.append(_unit(self._model.encode_image(torch.stack(batch).to(self.device, self.dtype))))
        return torch.cat(parts)

    def cosines(self, images: NDArray[np.uint8], texts: list[str]) -> NDArray[np.float64]:
        """Cosine similarities (N, M) of N images with M texts."""
        return (self.images(images) @ self.texts(texts).T).double().numpy()


def _unit(features: Tensor) -> Tensor:
    """Features (N, D) normalized to unit length, in float32 on the CPU."""
    return F.normalize(features.float(), dim=-1).cpu()
