"""Reading a prior from a folder in diffusers' format, from the hub, or from the package."""

import torch

from jsdpipe.base.cpu import half_precision_warning
from jsdpipe.base.errors import UserError, first_line, warn
from jsdpipe.model_files.formats import PRIOR
from jsdpipe.model_files.pretrained import json_object, weights
from jsdpipe.prior.prior import Prior


def load_prior(
    model: str, revision: str | None = None, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> Prior:
    """Load a latent diffusion model of Stable Diffusion's family: `miniature`, a local folder, or a hub id.

    `UserError` names what is missing in the folder, or what of it is not of that family.
    """
    import diffusers
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from diffusers.utils import logging as diffusers_logging
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()  # it warns of an AutoencoderTiny's own configuration
    folder = PRIOR.folder(model, revision)
    if str(device) == "cpu":
        warn(half_precision_warning(str(dtype).removeprefix("torch.")))
    unet = weights(UNet2DConditionModel, folder / "unet", torch_dtype=dtype)
    vae_class = getattr(diffusers, json_object(folder / "vae/config.json").get("_class_name", "AutoencoderKL"))
    vae = weights(vae_class, folder / "vae", torch_dtype=dtype)
    text_encoder = weights(CLIPTextModel, folder / "text_encoder", dtype=dtype)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except Exception as error:
        raise UserError(f"{folder / 'tokenizer'}: not a CLIP tokenizer ({first_line(error)}); fetch it again") from None
    schedule = DDIMScheduler.from_config(json_object(folder / "scheduler/scheduler_config.json"))
    return Prior(
        unet=unet.to(device),
        vae=vae.to(device),
        text_encoder=text_encoder.to(device),
        tokenizer=tokenizer,
        alphas_cumprod=schedule.alphas_cumprod.float(),
        final_alpha_cumprod=float(schedule.final_alpha_cumprod),
        prediction_type=schedule.config.prediction_type,
        name=model,
        digest=PRIOR.digest(folder),
    )
