"""Reading a prior from a folder in diffusers' format, from the hub, or from the package."""

from pathlib import Path
from typing import Any

import torch

from jsdpipe.cpu import half_precision_warning
from jsdpipe.errors import UserError, first_line, warn
from jsdpipe.model_files import PRIOR
from jsdpipe.pretrained import json_object, weights
from jsdpipe.prior.prior import Prior

VAES = ("AutoencoderKL", "AutoencoderTiny")
PREDICTION_TYPES = ("epsilon", "v_prediction")


def load_prior(
    model: str, revision: str | None = None, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> Prior:
    """Load a latent diffusion model of Stable Diffusion's family: `miniature`, a local folder, or a hub id.

    `UserError` names what is missing in the folder, or what of it is not of that family.
    """
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from diffusers.utils import logging as diffusers_logging
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()  # it warns of an AutoencoderTiny's own configuration
    folder = PRIOR.folder(model, revision)
    if str(device) == "cpu":
        warn(half_precision_warning(str(dtype).removeprefix("torch.")))
    vae_class = _vae_class(folder)
    unet = weights(UNet2DConditionModel, folder / "unet", torch_dtype=dtype)
    if not isinstance(unet.config.sample_size, int):
        raise UserError(f"{folder / 'unet/config.json'}: sample_size: must be one number; set it")
    vae = weights(vae_class, folder / "vae", torch_dtype=dtype)
    if unet.config.in_channels != vae.config.latent_channels:
        raise UserError(
            f"{folder / 'unet/config.json'}: in_channels: {unet.config.in_channels} where the autoencoder's latents "
            f"have {vae.config.latent_channels}; take unet and vae of one text-to-image model"
        )
    text_encoder = weights(CLIPTextModel, folder / "text_encoder", dtype=dtype)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except Exception as error:
        raise UserError(f"{folder / 'tokenizer'}: not a CLIP tokenizer ({first_line(error)}); fetch it again") from None
    schedule = DDIMScheduler.from_config(json_object(folder / "scheduler/scheduler_config.json"))
    prediction_type, alphas = schedule.config.prediction_type, schedule.alphas_cumprod.float()
    place = folder / "scheduler/scheduler_config.json"
    if prediction_type not in PREDICTION_TYPES:
        raise UserError(f"{place}: prediction_type: {prediction_type!r} is none of {', '.join(PREDICTION_TYPES)}")
    if not 0 < float(alphas.min()) < 1:
        raise UserError(f"{place}: rescale_betas_zero_snr: no noise is defined where nothing of the signal is left")
    return Prior(
        unet=unet.to(device),
        vae=vae.to(device),
        text_encoder=text_encoder.to(device),
        tokenizer=tokenizer,
        alphas_cumprod=alphas,
        final_alpha_cumprod=float(schedule.final_alpha_cumprod),
        prediction_type=prediction_type,
        name=model,
        digest=PRIOR.digest(folder),
    )


def _vae_class(folder: Path) -> Any:
    import diffusers

    name = json_object(folder / "vae/config.json").get("_class_name", "AutoencoderKL")
    if name not in VAES:
        raise UserError(f"{folder / 'vae/config.json'}: _class_name: {name!r} is none of {', '.join(VAES)}")
    return getattr(diffusers, name)
