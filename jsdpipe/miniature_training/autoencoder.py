"""The miniature's autoencoder, from 64 x 64 images to 16 x 16 latents: diffusers' `AutoencoderTiny`."""

from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from torch import Tensor

from jsdpipe.miniature import data
from jsdpipe.miniature_training.training import train

WIDTH = 32
LATENT_CHANNELS = 8
BATCH = 32
STEPS = 5000
CHUNKS = 10  # chunks of images to learn from; more than enough for so few weights
LATENT_NOISE = 0.1  # makes nearby latents decode to similar images, so that a denoiser's errors stay small


def build() -> AutoencoderTiny:
    """An untrained autoencoder, without blocks at full resolution, where they cost the most."""
    return AutoencoderTiny(
        encoder_block_out_channels=(WIDTH,) * 3,
        decoder_block_out_channels=(WIDTH,) * 3,
        num_encoder_blocks=(0, 2, 3),
        num_decoder_blocks=(3, 2, 1),
        latent_channels=LATENT_CHANNELS,
        scaling_factor=1.0,
    )


def _edges(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def train_autoencoder(pictures: data.Pictures, folder: Path, device: str) -> AutoencoderTiny:
    """Train on composited images with L1, L2 and edge losses; the scaling factor gives latents unit deviation."""
    torch.manual_seed(0)
    vae = build().to(device, memory_format=torch.channels_last)

    def loss_of(step: int, draw: torch.Generator) -> Tensor:
        index = torch.randint(len(pictures), (BATCH,), generator=draw)
        x = pictures.compose(index, draw, unlit_on_black=0.1).permute(0, 3, 1, 2).to(device) * 2 - 1
        z = vae.encoder(x)
        noise = LATENT_NOISE * torch.randn(z.shape, generator=draw).to(device)
        y = vae.decoder(z + noise * z.detach().std())
        sharp = sum((a - b).abs().mean() for a, b in zip(_edges(x), _edges(y), strict=True))
        return (x - y).abs().mean() + (x - y).square().mean() + sharp + 1e-3 * z.square().mean()

    train("autoencoder", vae, loss_of, steps=STEPS, lr=2e-3, folder=folder, device=device)
    with torch.no_grad():
        draw = torch.Generator().manual_seed(1)
        index = torch.randint(len(pictures), (1024,), generator=draw)
        x = pictures.compose(index, draw).permute(0, 3, 1, 2).to(device) * 2 - 1
        z = torch.cat([vae.encoder(part) for part in x.split(64)])
    vae.register_to_config(scaling_factor=round(1 / float(z.std()), 4))
    return vae


def latents(vae: AutoencoderTiny, images: Tensor) -> Tensor:
    """Encode images (N, 64, 64, 3) in [0, 1] to scaled latents (N, 8, 16, 16)."""
    x = images.permute(0, 3, 1, 2) * 2 - 1
    return vae.encoder(x) * vae.config.scaling_factor
