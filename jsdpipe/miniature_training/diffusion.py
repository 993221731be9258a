"""The miniature's latent diffusion model, in diffusers' own classes and folder format."""

from pathlib import Path

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from jsdpipe.base.files import read_json, write_json
from jsdpipe.base.progress import progress
from jsdpipe.miniature import data
from jsdpipe.miniature_training.autoencoder import LATENT_CHANNELS, latents
from jsdpipe.miniature_training.tokenizer import CONTEXT_LENGTH
from jsdpipe.miniature_training.training import train

WIDTH = 128
BATCH = 64
STEPS = 3000
VARIANTS = 2  # lights and backgrounds with which each image is encoded
VIEW_SHARE = 0.6  # of captions: with a view suffix
NULL_SHARE = 0.1  # of captions: empty, for classifier-free guidance
MIN_SNR = 5.0  # loss weight min(snr, 5) / snr (arXiv 2303.09556)


class TextToLatents(nn.Module):
    """The U-Net and the text encoder, which are trained together."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=LATENT_CHANNELS,
            out_channels=LATENT_CHANNELS,
            block_out_channels=(64, 128, 160),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=4,  # despite its name, the number of heads
            norm_num_groups=16,
        )
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=4 * WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT_LENGTH,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )


def scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="epsilon",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


@torch.no_grad()
def encode(vae: AutoencoderTiny, pictures: data.Pictures, device: str) -> Tensor:
    """Encode N images to latents (VARIANTS, N, 8, 16, 16) in half precision."""
    vae = vae.to(device)
    draw = torch.Generator().manual_seed(2)
    result = torch.empty(VARIANTS, len(pictures), LATENT_CHANNELS, 16, 16, dtype=torch.float16)
    with progress("encoding the pictures", VARIANTS * len(pictures)) as advance:
        for variant in range(VARIANTS):
            for index in torch.arange(len(pictures)).split(128):
                images = pictures.compose(index, draw).to(device)
                result[variant, index] = latents(vae, images).half().cpu()
                advance(len(index))
    return result


def train_diffusion(
    pictures: data.Pictures, vae: AutoencoderTiny, tokenizer: CLIPTokenizer, folder: Path, device: str
) -> StableDiffusionPipeline:
    """Train the U-Net and the text encoder to predict noise, on views from the usual elevations."""
    low, high = data.USUAL_ELEVATION
    usual = (pictures.elevation >= low) & (pictures.elevation <= high)
    pictures = pictures.subset(torch.nonzero(usual)[:, 0].tolist())
    encoded = encode(vae, pictures, device)
    torch.manual_seed(0)
    model = TextToLatents(tokenizer).to(device)
    model.unet.to(memory_format=torch.channels_last)
    alphas = scheduler().alphas_cumprod.to(device)

    def loss_of(step: int, draw: torch.Generator) -> Tensor:
        index = torch.randint(len(pictures), (BATCH,), generator=draw)
        variant = torch.randint(VARIANTS, (BATCH,), generator=draw)
        captions = [_caption(pictures, int(i), draw) for i in index]
        ids = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        z = encoded[variant, index].float()
        eps = torch.randn(z.shape, generator=draw)
        z, eps = z.to(device), eps.to(device)
        t = torch.randint(1000, (BATCH,), generator=draw).to(device)
        a = alphas[t][:, None, None, None]
        noisy = a.sqrt() * z + (1 - a).sqrt() * eps
        text = model.text_encoder(ids.to(device)).last_hidden_state
        predicted = model.unet(noisy.contiguous(memory_format=torch.channels_last), t, text).sample
        snr = alphas[t] / (1 - alphas[t])
        weight = snr.clamp_max(MIN_SNR) / snr
        return (weight * (predicted.float() - eps).square().mean(dim=(1, 2, 3))).mean()

    train("diffusion", model, loss_of, steps=STEPS, lr=1e-3, folder=folder, device=device)
    return pipeline(model, vae, tokenizer)


def _caption(pictures: data.Pictures, i: int, draw: torch.Generator) -> str:
    if float(torch.rand((), generator=draw)) < NULL_SHARE:
        return ""
    text = data.random_caption(pictures.descriptions[i], draw)
    if float(torch.rand((), generator=draw)) < VIEW_SHARE:
        text += data.view_suffix(float(pictures.azimuth[i]), float(pictures.elevation[i]))
    return text


def pipeline(model: TextToLatents, vae: AutoencoderTiny, tokenizer: CLIPTokenizer) -> StableDiffusionPipeline:
    """Assemble the parts into a pipeline, which saves and loads itself in diffusers' folder format."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=model.text_encoder,
        tokenizer=tokenizer,
        unet=model.unet,
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def save(pipe: StableDiffusionPipeline, folder: Path) -> None:
    """Save a folder that diffusers loads, with weights in half precision."""
    pipe.to(dtype=torch.float16).save_pretrained(folder, safe_serialization=True)
    config = folder / "vae" / "config.json"
    stated = read_json(config)
    for key in (
        "block_out_channels",
        "_name_or_path",
    ):  # diffusers 0.42 warns about the one; the other reveals a folder
        stated.pop(key, None)
    write_json(config, stated)
