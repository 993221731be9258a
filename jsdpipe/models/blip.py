"""The captioners `blip2` (arXiv 2301.12597), which T3Bench uses, and `blip` (arXiv 2201.12086), by transformers.

T3Bench samples as LAVIS' BLIP-2 with T5 does, whose "nucleus sampling" keeps the five beams of its beam search: what
continues the beams is drawn, and the likeliest of them is the caption. Unseeded there; here an image has draws of its
own, so that its caption is the same in any batch (but for the last bits of its probabilities).
"""

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from jsdpipe.base.device import device
from jsdpipe.base.errors import UserError, first_line
from jsdpipe.base.seeding import generator
from jsdpipe.model_files.pretrained import weights
from jsdpipe.models import settings

BATCH = 12  # images at once: those of an asset by the protocol
# LAVIS' settings; top_k is transformers' default of that time
SAMPLING = {
    "do_sample": True, "num_beams": 5, "top_p": 0.9, "top_k": 50, "temperature": 1.0, "repetition_penalty": 1.0,
    "length_penalty": 1.0, "min_length": 1, "max_new_tokens": 30,
}  # fmt: skip


class OwnDraws(TorchFunctionMode):
    """Within it, `torch.multinomial` draws each row of its probabilities from that row's generator, on the CPU."""

    def __init__(self, generators: list[torch.Generator]) -> None:
        super().__init__()
        self.generators = generators

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.multinomial:
            return func(*args, **(kwargs or {}))
        probabilities, count = args[0], args[1] if len(args) > 1 else kwargs["num_samples"]
        rows = zip(probabilities.float().cpu(), self.generators, strict=True)
        drawn = [torch.multinomial(row, count, generator=own) for row, own in rows]
        return torch.stack(drawn).to(probabilities.device)


class BlipCaptioner:
    """BLIP: in the settings' number format on a GPU, in float32 on a CPU.

    It is read from its folder when it first has something to caption: where all captions are kept, it never is.
    """

    model_class: ClassVar[str] = "BlipForConditionalGeneration"

    def __init__(self, folder: Path, name: str, digest: str, dtype: torch.dtype) -> None:
        self.identity = f"{name} sha256:{digest} {str(dtype).removeprefix('torch.')}"
        self.folder, self.device, self.dtype = folder, device(), dtype

    @classmethod
    def of(cls, settings: "settings.BlipCaptioner | settings.Blip2Captioner") -> Self:
        """The captioner of the settings; `UserError` if its folder lacks a file."""
        folder = settings.format.folder(settings.model, settings.revision)
        dtype = getattr(torch, settings.dtype) if device() == "cuda" else torch.float32
        return cls(folder, settings.model, settings.format.digest(folder), dtype)

    @cached_property
    def _parts(self) -> tuple[Any, Any, Any]:
        """The model, its image processor and its tokenizer; `UserError` if the folder does not hold them."""
        import transformers
        from transformers.utils import logging

        logging.disable_progress_bar()
        logging.set_verbosity_error()  # what is wrong with weights is told by `weights`, in one line
        model = weights(getattr(transformers, self.model_class), self.folder, dtype=self.dtype).to(self.device)
        try:
            images = transformers.BlipImageProcessorPil.from_pretrained(self.folder)  # PIL's resizing is LAVIS'
            tokenizer = transformers.AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        except Exception as error:  # transformers raises errors of any kind for files that it cannot read
            raise UserError(
                f"{self.folder}: not the image processor and tokenizer of a captioner ({first_line(error)}); "
                "fetch it again"
            ) from None
        return model, images, tokenizer

    @torch.no_grad()
    def caption(self, images: NDArray[np.uint8], seed: int) -> list[str]:
        model, processor, tokenizer = self._parts
        captions: list[str] = []
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            draws = [generator(seed, index) for index in range(start, start + len(batch))]
            pixels = processor(list(batch), return_tensors="pt")["pixel_values"].to(self.device, self.dtype)
            with OwnDraws(draws):
                tokens = model.generate(pixels, **self._beginning(len(batch)), **SAMPLING)
            captions += tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(caption.split()) for caption in captions]

    def _beginning(self, count: int) -> dict[str, Tensor]:
        """What `generate` gets of text: BLIP begins by itself."""
        return {}


class Blip2Captioner(BlipCaptioner):
    """BLIP-2: the image's tokens, then an empty prompt, are what the language model reads."""

    model_class = "Blip2ForConditionalGeneration"

    def _beginning(self, count: int) -> dict[str, Tensor]:
        model, _, tokenizer = self._parts
        image, places = model.config.image_token_index, model.config.num_query_tokens
        if image is None:
            file = self.folder / "config.json"
            raise UserError(f"{file}: image_token_index is missing; take a revision that states it")
        tokens = [image] * places + tokenizer("")["input_ids"]
        return {"input_ids": torch.tensor([tokens] * count, device=self.device)}
