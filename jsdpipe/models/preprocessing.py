"""DiverseDream's preprocessing of images for its classifier and features (arXiv 2312.02192, and its public code)."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.functional import normalize, resize

SIZE = 299
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# the default for tensors in the torchvision versions that the public code requires (0.13, 0.15)
ANTIALIAS = False
INPUT = f"{SIZE} px bilinear, antialias={ANTIALIAS}, ImageNet's mean and deviation"  # part of models' identities
BATCH = 16


def batches(images: NDArray[np.uint8], device: str) -> Iterator[Tensor]:
    """uint8 images (N, H, W, 3) as float batches (at most `BATCH`, 3, `SIZE`, `SIZE`), resized without cropping."""
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(images[start : start + BATCH]).to(device).movedim(-1, 1).float() / 255
        yield normalize(resize(batch, [SIZE, SIZE], antialias=ANTIALIAS), MEAN, STD)
