"""What a prior's config files say: whether it is of Stable Diffusion's family, and how large its images are."""

from pathlib import Path
from typing import Any, NoReturn

from jsdpipe.base.errors import UserError
from jsdpipe.model_files.pretrained import json_object

VAES = ("AutoencoderKL", "AutoencoderTiny")
PREDICTION_TYPES = ("epsilon", "v_prediction")
TEXT_ENCODERS = ("clip_text_model", "clip")
# the inputs of U-Nets of other families, beside the latent, the timestep and the text
FURTHER = {
    "addition_embed_type": "the U-Net wants sizes or a second text, as SDXL's does",
    "class_embed_type": "the U-Net wants classes or an image, as unCLIP's does",
    "num_class_embeds": "the U-Net wants classes, as an upscaler's does",
    "encoder_hid_dim_type": "the U-Net wants another encoder than CLIP's",
}
SCHEDULE = "scheduler/scheduler_config.json"
# what the U-Nets of a prior and of an adapter must have in common, with diffusers' defaults
FIT: dict[str, dict[str, Any]] = {
    "unet/config.json": {"in_channels": 4, "out_channels": 4, "cross_attention_dim": 1280},
    SCHEDULE: {
        "num_train_timesteps": 1000,
        "beta_start": 0.0001,
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "trained_betas": None,
    },
}
SHORTEST = 3  # tokens: begin, one of the text, end


def check(folder: Path) -> None:
    """Raise `UserError` unless a model denoises an autoencoder's latents, guided by CLIP's encoding of a text."""
    check_unet(folder)
    unet, vae, text = (json_object(folder / f"{part}/config.json") for part in ("unet", "vae", "text_encoder"))
    if unet.get("in_channels", 4) != vae.get("latent_channels", 4):
        why = f"{unet.get('in_channels', 4)} where the autoencoder's latents have {vae.get('latent_channels', 4)}"
        _refuse(folder, "unet/config.json", "in_channels", why)
    if (name := vae.get("_class_name", VAES[0])) not in VAES:
        _refuse(folder, "vae/config.json", "_class_name", f"{name!r} is none of {', '.join(VAES)}")
    if (kind := text.get("model_type", TEXT_ENCODERS[0])) not in TEXT_ENCODERS:
        _refuse(folder, "text_encoder/config.json", "model_type", f"{kind!r} is no text encoder of CLIP")
    width, heard = text.get("hidden_size", 512), unet.get("cross_attention_dim", 1280)
    if {*(heard if isinstance(heard, list) else [heard])} != {width}:
        why = f"{heard} where the text encoder's hidden_size is {width}"
        _refuse(folder, "unet/config.json", "cross_attention_dim", why)
    tokenizer = "tokenizer/tokenizer_config.json"
    room = [text.get("max_position_embeddings", 77)]
    if (folder / tokenizer).is_file():
        room.append(json_object(folder / tokenizer).get("model_max_length", SHORTEST))
    if not all(isinstance(length, int | float) and length >= SHORTEST for length in room):
        _refuse(folder, tokenizer, "model_max_length", f"must be a number of at least {SHORTEST}")


def check_unet(folder: Path) -> None:
    """Raise `UserError` unless a model's U-Net and its schedule are of the family."""
    unet, schedule = json_object(folder / "unet/config.json"), json_object(folder / SCHEDULE)
    for key, why in FURTHER.items():
        if unet.get(key) is not None:
            _refuse(folder, "unet/config.json", key, f"{unet[key]!r}: {why}")
    if not isinstance(unet.get("sample_size"), int):
        _refuse(folder, "unet/config.json", "sample_size", "must be one number")
    if (kind := schedule.get("prediction_type", PREDICTION_TYPES[0])) not in PREDICTION_TYPES:
        _refuse(folder, SCHEDULE, "prediction_type", f"{kind!r} is none of {', '.join(PREDICTION_TYPES)}")
    if schedule.get("rescale_betas_zero_snr"):
        _refuse(folder, SCHEDULE, "rescale_betas_zero_snr", "no noise is defined where nothing of the signal is left")


def check_adapter(folder: Path, prior: Path) -> None:
    """Raise `UserError` unless the U-Net in a folder takes the latents, texts and timesteps of a prior's.

    The sides of the latents may differ: the network is convolutional, and Stable Diffusion 2.1 has been trained at 96
    where 2.1-base has 64.
    """
    for file, keys in FIT.items():
        own, others = json_object(folder / file), json_object(prior / file)
        for key, default in keys.items():
            here, there = own.get(key, default), others.get(key, default)
            if here != there:
                raise UserError(
                    f"{folder / file}: {key}: {here} where the prior has {there}; take a model that fits it"
                )


def _refuse(folder: Path, file: str, key: str, why: str) -> NoReturn:
    raise UserError(
        f"{folder / file}: {key}: {why}; take a model of Stable Diffusion 1's or 2's architecture, all parts of one"
    )


def image_size(sample_size: int, blocks: int) -> int:
    """The side in pixels of a U-Net's images, from that of its latents and the number of the encoder's blocks."""
    return sample_size * 2 ** (blocks - 1)
