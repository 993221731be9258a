"""Reading a prior from a folder in diffusers' format, from the hub, or from the package."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from jsdpipe import prior_files
from jsdpipe.errors import UserError
from jsdpipe.files import sha256
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
    folder = _folder(model, revision)
    files = prior_files.files(folder)
    vae_class = _vae_class(folder)
    unet = _weights(UNet2DConditionModel, folder / "unet", torch_dtype=dtype)
    if not isinstance(unet.config.sample_size, int):
        raise UserError(f"{folder / 'unet/config.json'}: sample_size: must be one number; set it")
    vae = _weights(vae_class, folder / "vae", torch_dtype=dtype)
    if unet.config.in_channels != vae.config.latent_channels:
        raise UserError(
            f"{folder / 'unet/config.json'}: in_channels: {unet.config.in_channels} where the autoencoder's latents "
            f"have {vae.config.latent_channels}; take unet and vae of one text-to-image model"
        )
    text_encoder = _weights(CLIPTextModel, folder / "text_encoder", dtype=dtype)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except Exception as error:
        raise UserError(f"{folder / 'tokenizer'}: not a CLIP tokenizer ({_line(error)}); fetch it again") from None
    schedule = DDIMScheduler.from_config(_json(folder / "scheduler/scheduler_config.json"))
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
        prediction_type=prediction_type,
        name=model,
        digest=_digest(folder, files),
    )


def _folder(model: str, revision: str | None) -> Path:
    if folder := prior_files.local_folder(model, revision):
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=prior_files.NAMES))
    except Exception as error:
        raise UserError(
            f"{model!r} is no folder, and the hub did not give it ({_line(error)}); "
            "name a local folder in diffusers' format, a hub id, or `miniature`"
        ) from None


def _digest(folder: Path, files: list[Path]) -> str:
    listing = "".join(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\0" for path in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def _vae_class(folder: Path) -> Any:
    import diffusers

    name = _json(folder / "vae/config.json").get("_class_name", "AutoencoderKL")
    if name not in VAES:
        raise UserError(f"{folder / 'vae/config.json'}: _class_name: {name!r} is none of {', '.join(VAES)}")
    return getattr(diffusers, name)


def _weights(kind: Any, folder: Path, **dtype: torch.dtype) -> Any:
    """A model of class `kind` with every one of its weights read from the folder."""
    _json(folder / "config.json")
    try:
        model, report = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **dtype
        )
    except Exception as error:
        raise UserError(f"{folder}: not the weights of a {kind.__name__} ({_line(error)}); fetch it again") from None
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise UserError(f"{folder}: {len(missing)} weights are missing, {missing[0]} first; fetch it again")
    return model


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); fetch it again") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: must be a JSON object; fetch it again")
    return value


def _line(error: Exception) -> str:
    """The first line of a library's error, cut to a readable length."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
