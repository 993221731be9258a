"""The captioner `blip2` (arXiv 2301.12597), which T3Bench uses, with transformers."""

from typing import TYPE_CHECKING

from pydantic import Field

from jsdpipe.base.errors import UserError
from jsdpipe.models.captioners.blip import BlipCaptioner
from jsdpipe.models.roles import CAPTIONERS
from jsdpipe.models.settings import Dtype

if TYPE_CHECKING:
    import torch


@CAPTIONERS.register("blip2")
class Blip2Captioner(BlipCaptioner):
    """BLIP-2: its language model reads the image's tokens, then an empty prompt."""

    class Settings(BlipCaptioner.Settings):
        """BLIP-2, such as T3Bench's Salesforce/blip2-flan-t5-xxl, whose T5 overflows in float16."""

        dtype: Dtype = Field(default="bfloat16", description="used on GPUs; CPUs use float32")

    model_class = "Blip2ForConditionalGeneration"

    def _beginning(self, count: int) -> "dict[str, torch.Tensor]":
        import torch

        model, _, tokenizer = self._parts
        image, places = model.config.image_token_index, model.config.num_query_tokens
        if image is None:
            file = self.folder / "config.json"
            raise UserError(f"{file}: image_token_index is missing; take a revision that states it")
        tokens = [image] * places + tokenizer("")["input_ids"]
        return {"input_ids": torch.tensor([tokens] * count, device=self.device)}
