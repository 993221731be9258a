"""The reward `imagereward`: ImageReward-v1.0 (arXiv 2304.05977), by transformers' classes of BLIP."""

from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import transforms
from transformers import BertTokenizer

from jsdpipe.base.device import device, number_format
from jsdpipe.models import settings
from jsdpipe.models.imagereward_weights import load

MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072  # of the raw rewards
TOKENS = 35
CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
BATCH = {"cpu": 16, "cuda": 128}


class ImageReward:
    """The model from the folders of its weights and of its vocabulary; what it reads is cut to 35 tokens."""

    def __init__(self, weights: Path, vocabulary: Path, dtype: str) -> None:
        formats = settings.ImageReward.format, settings.BertTokenizer.format
        digests = [form.digest(folder) for form, folder in zip(formats, (weights, vocabulary), strict=True)]
        self._device, self._dtype = device(), number_format(dtype)
        self.identity = f"imagereward sha256:{digests[0]}, vocabulary sha256:{digests[1]}, {self._dtype}"
        self._model = load(weights).to(self._device, self._dtype)
        self._model.head.float()
        self._tokenizer = BertTokenizer(str(vocabulary / "vocab.txt"))
        size = self._model.vision.config.image_size
        self._preprocess = transforms.Compose(
            [
                transforms.Resize(size, transforms.InterpolationMode.BICUBIC),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize(CLIP_MEAN, CLIP_DEVIATION),
            ]
        )

    @classmethod
    def of(cls, settings: settings.ImageReward) -> Self:
        """The model that the settings name, downloaded first if it is not here."""
        parts = (settings, settings.tokenizer)
        weights, vocabulary = (part.format.folder(part.model, part.revision) for part in parts)
        return cls(weights, vocabulary, settings.dtype)

    @torch.no_grad()
    def score(self, text: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The normalised reward of each image (N,)."""
        tokens = self._tokenizer(text, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        ids, mask = tokens.input_ids.to(self._device), tokens.attention_mask.to(self._device)
        rewards = []
        for start in range(0, len(images), size := BATCH[self._device]):
            # of PIL's images, whose resize is not that of tensors
            pixels = torch.stack([self._preprocess(Image.fromarray(image)) for image in images[start : start + size]])
            rewards.append(self._model(pixels.to(self._device, self._dtype), ids, mask).cpu())
        return (torch.cat(rewards).double().numpy() - MEAN) / DEVIATION
