"""DiverseDream's classifier: torchvision's Inception-v3, float32."""

from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import Inception_V3_Weights, inception_v3

from jsdpipe.base.device import device
from jsdpipe.base.errors import UserError, first_line
from jsdpipe.base.files import sha256
from jsdpipe.model_files.formats import INCEPTION_URL
from jsdpipe.models import settings
from jsdpipe.models.imagenet import INPUT, batches


class Inception:
    """Softmax over ImageNet's 1000 classes.

    A quirk of the protocol is kept: these weights expect pixels in [-1, 1], which `transform_input` would make, but get
    ImageNet's mean and deviation.
    """

    classes = tuple(Inception_V3_Weights.IMAGENET1K_V1.meta["categories"])

    def __init__(self, file: Path) -> None:
        self.device = device()
        model = inception_v3(weights=None, transform_input=False, init_weights=False)
        try:
            model.load_state_dict(_read(file))
        except Exception as error:  # of many kinds, for files that are something else
            raise UserError(
                f"{file}: not torchvision's weights of Inception-v3 ({first_line(error)}); fetch {INCEPTION_URL}"
            ) from None
        torch.backends.cudnn.allow_tf32 = False  # GPUs would round what convolutions multiply to 10 bits
        self._model = model.to(self.device).eval()
        self.identity = f"inception-v3 sha256:{sha256(file)} at {INPUT}"

    @classmethod
    def of(cls, settings: settings.Inception) -> Self:
        """The model in the settings' file, downloaded first if they name none."""
        if settings.weights is None and not settings.file.is_file():
            _download(settings.file)
        return cls(settings.file)

    @torch.inference_mode()
    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        logits = torch.cat([self._model(batch) for batch in batches(images, self.device)])
        return logits.double().softmax(dim=-1).cpu().numpy()


def _read(file: Path) -> dict[str, Tensor]:
    if file.suffix == ".safetensors":
        return load_file(file)
    state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def _download(file: Path) -> None:
    """Fetch torchvision's weights, checked by the hash in their name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    prefix = file.stem.rpartition("-")[2]
    try:
        torch.hub.download_url_to_file(INCEPTION_URL, str(file), hash_prefix=prefix)
    except Exception as error:  # of many kinds: network, permission, disk, another file
        raise UserError(
            f"{INCEPTION_URL} cannot be fetched ({first_line(error)}); copy it to {file}, or name a copy of it as "
            "diversity.classifier.weights"
        ) from None
