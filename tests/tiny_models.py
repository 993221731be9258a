"""Tiny models with random weights, in the true formats, for tests."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

LENGTH = 40  # tokens that the tiny model's text encoder reads: about as many letters
LATENT = 8  # the side of its latents
IMAGE = 32  # the side of its images


def tokenizer(length: int = LENGTH, **special: str) -> CLIPTokenizer:
    """A CLIP tokenizer without merges: a letter is a token."""
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=length, **special
    )


def diffusion(
    folder: Path, *, tiny_vae: bool = False, prediction_type: str = "epsilon", latent_channels: int = 4
) -> Path:
    """Write a latent diffusion model of Stable Diffusion's kind, 32-pixel images, in diffusers' format."""
    torch.manual_seed(0)
    words = tokenizer()
    words.save_pretrained(folder / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=LENGTH, projection_dim=16, bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    UNet2DConditionModel(
        sample_size=LATENT, in_channels=latent_channels, out_channels=latent_channels, layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16, attention_head_dim=2, norm_num_groups=4,
    ).save_pretrained(folder / "unet")  # fmt: skip
    if tiny_vae:
        widths = (8,) * 3
        vae = AutoencoderTiny(
            encoder_block_out_channels=widths, decoder_block_out_channels=widths, num_encoder_blocks=(0, 1, 1),
            num_decoder_blocks=(1, 1, 1), latent_channels=latent_channels, scaling_factor=0.5,
        )  # fmt: skip
    else:
        vae = AutoencoderKL(
            block_out_channels=(8,) * 3, down_block_types=("DownEncoderBlock2D",) * 3, layers_per_block=1,
            up_block_types=("UpDecoderBlock2D",) * 3, latent_channels=latent_channels, norm_num_groups=4,
            scaling_factor=0.5,
        )  # fmt: skip
    vae.save_pretrained(folder / "vae")
    DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1,
        set_alpha_to_one=False, prediction_type=prediction_type,
    ).save_pretrained(folder / "scheduler")  # fmt: skip
    return folder


def stable_diffusion(folder: Path) -> Path:
    """Write a model of Stable Diffusion 2.1-base's architecture, as diffusers saves a pipeline.

    Blocks, layers, heads, activations, lengths, prediction type and schedule are those of the model's configurations;
    widths and groups of channels are small, images have 64 pixels, and the tokenizer knows letters alone.
    """
    torch.manual_seed(0)
    words = tokenizer(77, pad_token="!")
    text = CLIPTextConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=128, num_hidden_layers=23, num_attention_heads=16,
        max_position_embeddings=77, projection_dim=16, hidden_act="gelu", layer_norm_eps=1e-5,
        bos_token_id=0, eos_token_id=2, pad_token_id=1,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(20, 40, 80, 80),
        down_block_types=(*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        cross_attention_dim=32, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True, norm_num_groups=4,
        norm_eps=1e-5, act_fn="silu", downsample_padding=1, mid_block_scale_factor=1, flip_sin_to_cos=True,
        freq_shift=0,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 16, 32, 32), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4, norm_num_groups=4,
        act_fn="silu", sample_size=64, scaling_factor=0.18215,
    )  # fmt: skip
    schedule = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1,
        set_alpha_to_one=False, prediction_type="epsilon",
    )  # fmt: skip
    StableDiffusionPipeline(
        vae, CLIPTextModel(text), words, unet, schedule, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder
