"""A latent diffusion model: loaded from a folder in diffusers' format, and what it computes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from jsdpipe.base.cpu import half_precision_warning
from jsdpipe.base.device import is_accelerator, to_device
from jsdpipe.base.errors import UserError, first_line, warn
from jsdpipe.model_files.formats import PRIOR
from jsdpipe.model_files.pretrained import json_object, weights
from jsdpipe.model_files.prior_family import image_size
from jsdpipe.prior.denoiser import Denoiser, unet_parts


class Prior(Denoiser):
    """A frozen latent diffusion model in diffusers' parts; everything it returns is float32.

    `name` is what it was loaded by, `digest` the SHA-256 of its files. An objective's adapter sits on `adapted`:
    itself, or the U-Net of another model.
    """

    def __init__(self, *, vae: Any, text_encoder: Any, tokenizer: Any, **unet: Any) -> None:
        super().__init__(**unet)
        self.vae, self.text_encoder, self.tokenizer = vae, text_encoder, tokenizer
        self.adapted: Denoiser = self
        self.image_size = image_size(self.unet.config.sample_size, len(vae.config.block_out_channels))
        self.text_length: int = min(tokenizer.model_max_length, text_encoder.config.max_position_embeddings)
        for module in (vae, text_encoder):
            module.requires_grad_(False).eval()

    @property
    def latent_shape(self) -> tuple[int, int]:
        """Channels and side of its latents."""
        return self.unet.config.in_channels, self.unet.config.sample_size

    @property
    def identities(self) -> dict[str, str]:
        """Names and digests of what assets are made with: the prior, and the adapter's U-Net if that is another one."""
        models: dict[str, Denoiser] = {"prior": self}
        if self.adapted is not self:
            models["adapter"] = self.adapted
        return {role: f"{model.name} sha256:{model.digest}" for role, model in models.items()}

    @property
    def unet_samples(self) -> int:
        """How many latents have gone through U-Nets so far: the prior's, and the adapter's if that is another one."""
        return sum(model.samples for model in {self, self.adapted})

    def encode(self, images: Tensor, generators: Sequence[torch.Generator] | None = None) -> Tensor:
        """Scaled latents (B, C, h, w) of images (B, 3, H, W) in [0, 1]; differentiable.

        Images of another size than the model's are resized (bilinear, antialiased). Of a KL autoencoder's posterior it
        takes the mean or, with (CPU) generators, a sample: item i's from generator i. An AutoencoderTiny has none.
        """
        if images.shape[-2:] != (self.image_size, self.image_size):
            size = (self.image_size, self.image_size)
            images = interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        encoded = self.vae.encode((images * 2 - 1).to(self.vae.dtype))
        if hasattr(encoded, "latents"):
            latents = encoded.latents.float()
        else:
            latents = encoded.latent_dist.mean.float()
            if generators is not None:
                noise = torch.stack([torch.randn(latents.shape[1:], generator=g) for g in generators])
                latents = latents + encoded.latent_dist.std.float() * to_device(noise, latents.device)
        return latents * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] of scaled latents (B, C, h, w)."""
        scaled = (latents / self.vae.config.scaling_factor).to(self.vae.dtype)
        return ((self.vae.decode(scaled).sample.float() + 1) / 2).clamp(0, 1)

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """Text embeddings (N, L, D), L the same for all: as many windows of the encoder's length as the longest takes.

        A text longer than that is encoded window by window and the U-Net attends to all of them, as in many public
        tools; cut, it would lose the view at its end. Shorter texts are repeated up to L, which softmax attention does
        not notice, so that each gives what it gives alone, without masks.
        """
        windows = [self._windows(text) for text in texts]
        tokens = torch.tensor([window for of_text in windows for window in of_text], device=self.device)
        encoded = self.text_encoder(tokens).last_hidden_state.float().split([len(of_text) for of_text in windows])
        most = max(len(of_text) for of_text in windows)
        return torch.stack([of_text.flatten(0, 1).repeat(most // len(of_text), 1) for of_text in encoded])

    def _windows(self, text: str) -> list[list[int]]:
        """A text's tokens in windows, each begun, ended and padded; 1, 2, 4, ... of them, the last ones maybe empty.

        Powers of two, so that every number of windows divides the largest one of a batch.
        """
        begin, *tokens, end = self.tokenizer(text, verbose=False).input_ids
        room = self.text_length - 2
        windows = 1 << (max(len(tokens) - 1, 0) // room).bit_length()
        parts = [tokens[start : start + room] for start in range(0, windows * room, room)]
        return [[begin, *part, end, *[self.tokenizer.pad_token_id] * (room - len(part))] for part in parts]


def load_prior(
    model: str, revision: str | None = None, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> Prior:
    """Load a latent diffusion model of Stable Diffusion's family: `miniature`, a local folder, or a hub id.

    `UserError` names what is missing in the folder, or what of it is not of that family.
    """
    import diffusers
    from diffusers.utils import logging as diffusers_logging
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()  # it warns of an AutoencoderTiny's own configuration
    folder = PRIOR.folder(model, revision)
    if not is_accelerator(device):
        warn(half_precision_warning(str(dtype).removeprefix("torch.")))
    unet = unet_parts(folder, dtype, device)
    vae_class = getattr(diffusers, json_object(folder / "vae/config.json").get("_class_name", "AutoencoderKL"))
    vae = weights(vae_class, folder / "vae", torch_dtype=dtype)
    text_encoder = weights(CLIPTextModel, folder / "text_encoder", dtype=dtype)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except Exception as error:
        raise UserError(f"{folder / 'tokenizer'}: not a CLIP tokenizer ({first_line(error)}); fetch it again") from None
    return Prior(
        **unet,
        vae=vae.to(device),
        text_encoder=text_encoder.to(device),
        tokenizer=tokenizer,
        name=model,
        digest=PRIOR.digest(folder),
    )
