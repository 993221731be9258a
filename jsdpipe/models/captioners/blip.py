"""The captioner `blip` (arXiv 2201.12086), with transformers; `blip2` differs in the input of the language model.

T3Bench samples as LAVIS' BLIP-2 with T5 does. Its "nucleus sampling" keeps the five beams of beam search: the next
tokens of the beams are drawn at random, and the likeliest beam is the caption. LAVIS does not seed the draws. Here each
image has its own seed, so that its caption does not depend on the batch (but for rounding of its probabilities).
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import UserError, first_line
from jsdpipe.base.seeding import generator
from jsdpipe.model_files.formats import CAPTIONER
from jsdpipe.model_files.pretrained import weights
from jsdpipe.models.roles import CAPTIONERS
from jsdpipe.models.settings import Pretrained

if TYPE_CHECKING:
    import torch

BATCH = 12  # the views of one asset in the protocol
# LAVIS' settings; top_k was the default of transformers then
SAMPLING = {
    "do_sample": True, "num_beams": 5, "top_p": 0.9, "top_k": 50, "temperature": 1.0, "repetition_penalty": 1.0,
    "length_penalty": 1.0, "min_length": 1, "max_new_tokens": 30,
}  # fmt: skip


@CAPTIONERS.register("blip")
class BlipCaptioner:
    """BLIP, loaded only when the first image needs a caption, because all captions may be cached."""

    class Settings(Pretrained):
        """BLIP, such as Salesforce/blip-image-captioning-large."""

        format = CAPTIONER

    model_class: ClassVar[str] = "BlipForConditionalGeneration"

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        from jsdpipe.base.device import number_format

        self.folder, self.device, self.dtype = settings.fetched(), device, number_format(settings.dtype, device)
        digest, number = CAPTIONER.digest(self.folder), str(self.dtype).removeprefix("torch.")
        self.identity = f"{settings.model} sha256:{digest} {number}"

    @cached_property
    def _parts(self) -> tuple[Any, Any, Any]:
        """The model, its image processor and its tokenizer; raises `UserError` if the folder does not hold them."""
        import transformers
        from transformers.utils import logging

        logging.disable_progress_bar()
        logging.set_verbosity_error()  # `weights` reports problems in one line
        model = weights(getattr(transformers, self.model_class), self.folder, dtype=self.dtype).to(self.device)
        try:
            images = transformers.BlipImageProcessorPil.from_pretrained(self.folder)  # PIL's resizing is LAVIS'
            tokenizer = transformers.AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        except Exception as error:  # transformers raises errors of any type for files that it cannot read
            raise UserError(
                f"{self.folder}: not the image processor and tokenizer of a captioner ({first_line(error)}); "
                "fetch it again"
            ) from None
        return model, images, tokenizer

    def caption(self, images: NDArray[np.uint8], seed: int) -> list[str]:
        import torch

        from jsdpipe.models.seeded_sampling import RowGenerators

        model, processor, tokenizer = self._parts
        captions: list[str] = []
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            draws = [generator(seed, index) for index in range(start, start + len(batch))]
            pixels = processor(list(batch), return_tensors="pt")["pixel_values"].to(self.device, self.dtype)
            with torch.no_grad(), RowGenerators(draws):
                tokens = model.generate(pixels, **self._beginning(len(batch)), **SAMPLING)
            captions += tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(caption.split()) for caption in captions]

    def _beginning(self, count: int) -> "dict[str, torch.Tensor]":
        """The text inputs of `generate` for `count` images; BLIP needs none."""
        return {}
