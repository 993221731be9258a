"""The classifier `inception-v3`: torchvision's Inception-v3 in float32, DiverseDream's classifier."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import UserError, first_line
from jsdpipe.base.files import sha256
from jsdpipe.model_files.formats import INCEPTION_URL
from jsdpipe.models.roles import CLASSIFIERS
from jsdpipe.models.settings import WeightsFile

if TYPE_CHECKING:
    from torch import Tensor


@CLASSIFIERS.register("inception-v3")
class Inception:
    """Softmax over ImageNet's 1000 classes.

    A quirk of the protocol is kept: these weights expect pixels in [-1, 1] (`transform_input`), but the protocol
    normalizes with ImageNet's mean and deviation.
    """

    class Settings(WeightsFile):
        """torchvision's Inception-v3 over ImageNet's classes."""

        url = INCEPTION_URL

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        import torch
        from torchvision.models import Inception_V3_Weights, inception_v3

        from jsdpipe.models.preprocessing import INPUT

        file, self.device = settings.fetched(), device
        self.classes = tuple(Inception_V3_Weights.IMAGENET1K_V1.meta["categories"])
        model = inception_v3(weights=None, transform_input=False, init_weights=False)
        try:
            model.load_state_dict(_read(file))
        except Exception as error:  # of many types, if the file is something else
            raise UserError(
                f"{file}: not torchvision's weights of Inception-v3 ({first_line(error)}); fetch {INCEPTION_URL}"
            ) from None
        torch.backends.cudnn.allow_tf32 = False  # TF32 rounds the inputs of convolutions to 10 bits
        self._model = model.to(self.device).eval()
        self.identity = f"inception-v3 sha256:{sha256(file)} at {INPUT}"

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        import torch

        from jsdpipe.models.preprocessing import batches

        with torch.no_grad():
            logits = torch.cat([self._model(batch) for batch in batches(images, self.device)])
            return logits.double().softmax(dim=-1).cpu().numpy()


def _read(file: Path) -> "dict[str, Tensor]":
    import torch
    from safetensors.torch import load_file

    if file.suffix == ".safetensors":
        return load_file(file)
    state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return state
