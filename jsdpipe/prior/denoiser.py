"""A frozen U-Net with its schedule, and the noise that it finds."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jsdpipe.base.stopwatch import part
from jsdpipe.model_files.formats import UNET
from jsdpipe.model_files.pretrained import json_object, weights
from jsdpipe.model_files.prior_family import SCHEDULE, check_adapter


class Denoiser:
    """A frozen U-Net of a latent diffusion model, which predicts noise or velocity.

    `name` is what it was loaded by, `digest` the SHA-256 of its files. `samples` is how many latents have gone through
    the U-Net so far.
    """

    def __init__(
        self,
        *,
        unet: Any,
        alphas_cumprod: Tensor,
        final_alpha_cumprod: float,
        prediction_type: str,
        name: str,
        digest: str,
    ) -> None:
        self.unet = unet.requires_grad_(False).eval()
        self.device: torch.device = unet.device
        self.dtype: torch.dtype = unet.dtype
        # by timestep, then that of negative ones
        self.alphas = torch.cat((alphas_cumprod, alphas_cumprod.new_full((1,), final_alpha_cumprod))).to(self.device)
        self.prediction_type = prediction_type
        self.name, self.digest = name, digest
        self.samples = 0

    @property
    def timesteps(self) -> int:
        """How many timesteps the schedule has."""
        return len(self.alphas) - 1

    def alpha_bar(self, t: Tensor) -> Tensor:
        """Cumulative alphas (B,) at timesteps t (B,); at negative ones the scheduler's `final_alpha_cumprod`.

        That is the first timestep's where its configuration has `set_alpha_to_one: false`, as in Stable Diffusion.
        """
        return self.alphas[t.clamp(min=-1)]

    def noise(self, latents: Tensor, t: Tensor, embeddings: Tensor) -> Tensor:
        """The noise (B, C, h, w) in noised latents (B, C, h, w) at timesteps t (B,), given embeddings (B, L, D).

        A velocity prediction v (arXiv 2202.00512) is turned into noise: sqrt(a) v + sqrt(1 - a) z. Differentiable.
        """
        self.samples += len(latents)
        with part("U-Net"):
            output = self.unet(latents.to(self.dtype), t, embeddings.to(self.dtype)).sample.to(latents.dtype)
        if self.prediction_type == "epsilon":
            return output
        a = self.alpha_bar(t).view(-1, 1, 1, 1)
        return a.sqrt() * output + (1 - a).sqrt() * latents


def unet_parts(folder: Path, dtype: torch.dtype, device: str | torch.device) -> dict[str, Any]:
    """The U-Net in a model's folder, and its schedule, as a `Denoiser` takes them."""
    from diffusers import DDIMScheduler, UNet2DConditionModel

    unet = weights(UNet2DConditionModel, folder / "unet", torch_dtype=dtype)
    schedule = DDIMScheduler.from_config(json_object(folder / SCHEDULE))
    return {
        "unet": unet.to(device),
        "alphas_cumprod": schedule.alphas_cumprod.float(),
        "final_alpha_cumprod": float(schedule.final_alpha_cumprod),
        "prediction_type": schedule.config.prediction_type,
    }


def load_adapter_unet(model: str, revision: str | None, prior: Denoiser, source: Path) -> Denoiser:
    """Load a model's U-Net for adapters, by names as `load_prior`'s, to the prior's device and in its precision.

    `UserError` names what is missing, or what does not fit the prior, which comes from the folder `source`.
    """
    folder = UNET.folder(model, revision)
    check_adapter(folder, source)
    return Denoiser(**unet_parts(folder, prior.dtype, prior.device), name=model, digest=UNET.digest(folder))
