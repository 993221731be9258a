"""The base of the adapters of the package's classifier of kinds."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import UserError
from jsdpipe.miniature.grammar import KINDS
from jsdpipe.model_files.formats import NETWORK, Format
from jsdpipe.model_files.pretrained import json_object, weights
from jsdpipe.models.settings import Packaged

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import ResNetForImageClassification

BATCH = 128
SIZE = 96  # pixels of the network's input


def _check_kinds(folder: Path) -> None:
    """Raise `UserError` if a network was trained for other kinds."""
    file = folder / "config.json"
    if json_object(file).get("id2label") != {str(i): kind for i, kind in enumerate(KINDS)}:
        raise UserError(
            f"{file}: id2label are not the package's kinds, so code and weights are of different versions; "
            "install the package again, or run `jsdpipe miniature train classifier`"
        )


@cache
def _shared(folder: Path, device: str) -> "ResNetForImageClassification":
    """The network of a folder on a device, loaded once per process."""
    import torch
    from transformers import ResNetForImageClassification
    from transformers.utils import logging

    logging.disable_progress_bar()
    network: ResNetForImageClassification = weights(ResNetForImageClassification, folder, dtype=torch.float32)
    return network.to(device).eval()


def resized(images: "Tensor") -> "Tensor":
    """Images (B, 3, H, W) in [0, 1] as the network's input (B, 3, 96, 96) in [-1, 1]."""
    from torch.nn import functional

    return 2 * functional.interpolate(images, (SIZE, SIZE), mode="bilinear", antialias=True) - 1


def probabilities(network: "ResNetForImageClassification", images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A network's probabilities of kinds (N, 24), for images (N, H, W, 3)."""
    return _batched(network, images, lambda batch: network(batch).logits.double().softmax(dim=-1))


def features(network: "ResNetForImageClassification", images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The last layer's features (N, D), mean over the image, of images (N, H, W, 3)."""
    return _batched(network, images, lambda batch: network.resnet(batch).pooler_output.flatten(1).double())


def _batched(
    network: "ResNetForImageClassification", images: NDArray[np.uint8], of: "Callable[[Tensor], Tensor]"
) -> NDArray[np.float64]:
    import torch

    parts = []
    with torch.no_grad():
        for start in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[start : start + BATCH]).to(network.device).permute(0, 3, 1, 2) / 255
            parts.append(of(resized(batch)).cpu())
    return torch.cat(parts).numpy()


class MiniatureClassifier:
    """An adapter of the package's classifier."""

    class Settings(Packaged):
        """The package's classifier of the miniature world's kinds."""

        format: ClassVar[Format] = replace(NETWORK, check=_check_kinds)
        within = "classifier"

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        self._folder, self._device = settings.folder(), device
        self.identity = f"miniature sha256:{settings.format.digest(self._folder)}"

    @property
    def network(self) -> "ResNetForImageClassification":
        return _shared(self._folder, self._device)
