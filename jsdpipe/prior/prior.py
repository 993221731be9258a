"""A latent diffusion model as the rest of the package sees it."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate


class Prior:
    """A frozen latent diffusion model in diffusers' parts; everything it returns is float32.

    `name` is what it was loaded by, `digest` the SHA-256 of its files.
    """

    def __init__(
        self,
        *,
        unet: Any,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        alphas_cumprod: Tensor,
        prediction_type: str,
        name: str,
        digest: str,
    ) -> None:
        for frozen in (unet, vae, text_encoder):
            frozen.requires_grad_(False)
        self.unet, self.vae, self.text_encoder, self.tokenizer = unet, vae, text_encoder, tokenizer
        self.alphas_cumprod = alphas_cumprod.to(unet.device)
        self.prediction_type = prediction_type
        self.name, self.digest = name, digest
        self.device: torch.device = unet.device
        self.dtype: torch.dtype = unet.dtype
        self.image_size: int = unet.config.sample_size * 2 ** (len(vae.config.block_out_channels) - 1)
        self.text_length: int = min(tokenizer.model_max_length, text_encoder.config.max_position_embeddings)
        for module in (unet, vae, text_encoder):
            module.requires_grad_(False).eval()

    @property
    def timesteps(self) -> int:
        """How many timesteps the schedule has."""
        return len(self.alphas_cumprod)

    def alpha(self, t: Tensor) -> Tensor:
        """Cumulative alpha (B,) at timesteps t (B,); 1, the clean latent, at negative ones."""
        return torch.where(t < 0, 1.0, self.alphas_cumprod[t.clamp(min=0)])

    def encode(self, images: Tensor) -> Tensor:
        """Scaled latents (B, C, h, w) of images (B, 3, H, W) in [0, 1]; differentiable.

        Images of another size than the model's are resized (bilinear, antialiased). Of a KL autoencoder's posterior
        it takes the mean, so that no noise is drawn (the public codes sample; the deviation is far below the signal).
        """
        if images.shape[-2:] != (self.image_size, self.image_size):
            size = (self.image_size, self.image_size)
            images = interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        encoded = self.vae.encode((images * 2 - 1).to(self.vae.dtype))
        latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()
        return latents.float() * self.vae.config.scaling_factor

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """Text embeddings (N, L, D); warns of a text longer than the encoder reads, and cuts it."""
        for text in texts:
            length = len(self.tokenizer(text, verbose=False).input_ids)
            if length > self.text_length:
                warnings.warn(
                    f"prompt of {length} tokens is cut to the {self.text_length} that {self.name} reads: {text[:60]!r}",
                    stacklevel=3,
                )
        tokens = self.tokenizer(
            list(texts), padding="max_length", max_length=self.text_length, truncation=True, return_tensors="pt"
        )
        return self.text_encoder(tokens.input_ids.to(self.device)).last_hidden_state.float()

    @torch.no_grad()
    def predict_noise(self, latents: Tensor, t: Tensor, embeddings: Tensor) -> Tensor:
        """`noise`, as a constant."""
        return self.noise(latents, t, embeddings)

    def noise(self, latents: Tensor, t: Tensor, embeddings: Tensor) -> Tensor:
        """The noise (B, C, h, w) in noised latents (B, C, h, w) at timesteps t (B,), given embeddings (B, L, D).

        A velocity prediction v (arXiv 2202.00512) is turned into noise: sqrt(a) v + sqrt(1 - a) z.
        """
        output = self.unet(latents.to(self.dtype), t, embeddings.to(self.dtype)).sample.float()
        if self.prediction_type == "epsilon":
            return output
        alpha = self.alpha(t)[:, None, None, None]
        return alpha.sqrt() * output + (1 - alpha).sqrt() * latents
