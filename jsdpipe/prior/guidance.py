"""Guided noise prediction for a batch of latents, each with its own prompt and view."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.base.cameras import look_at_origin, orbit
from jsdpipe.base.device import to_device
from jsdpipe.prior.lora import CameraLoRA
from jsdpipe.prior.prior import Prior
from jsdpipe.prior.settings import PLACE, ViewPrompts
from jsdpipe.prior.view_directions import DIRECTIONS, direction, mixture, perp_neg


@dataclass(frozen=True)
class GuidedPrior:
    """The prior bound to B prompts and views: the `Guidance` of objectives.

    Item i shows the prompt of index `prompt[i]` from the camera-to-world matrix `pose[i]`, row by row.

    Args:
        embeddings: of the text, the null text and, for Perp-Neg, two negatives, (K, B, L, D).
        plain: of the text without a direction, (B, L, D).
        prompt: (B,), on the CPU.
        pose: (B, 16).
        weights: of Perp-Neg's negatives, (2, B).
        negative: of the objective's own negative prompt, (B, L, D).
    """

    prior: Prior
    embeddings: Tensor
    plain: Tensor
    prompt: Tensor
    pose: Tensor
    weights: Tensor | None = None
    negative: Tensor | None = None

    @property
    def timesteps(self) -> int:
        """How many timesteps the schedule has."""
        return self.prior.timesteps

    def alpha_bar(self, t: Tensor) -> Tensor:
        """Cumulative alphas (B,) at timesteps t (B,); at negative ones, where inversion starts, the scheduler's own."""
        return self.prior.alpha_bar(t)

    def predict_cfg(self, z: Tensor, t: Tensor, scale: float) -> Tensor:
        """e_null + scale * D in z (B, C, h, w) at t (B,), by one call of the U-Net."""
        null, direction = self.predict_null_and_direction(z, t)
        return null + scale * direction

    def predict_null_and_direction(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """e_null and D = e_text - e_null; with Perp-Neg (arXiv 2304.04968) D + sum_i w_i perp(e_neg_i - e_null, D)."""
        return self._null_and_direction(self._predict(z, t, self.embeddings))

    def predict_with_negative(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """e_null, D and the noise by the objective's own negative prompt, by one call."""
        assert self.negative is not None, "the objective has no negative_prompt"
        *noise, negative = self._predict(z, t, torch.cat((self.embeddings, self.negative[None])))
        return *self._null_and_direction(noise), negative

    def predict_negative_and_direction(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """As `predict_null_and_direction`, with the objective's own negative prompt in the null text's place."""
        assert self.negative is not None, "the objective has no negative_prompt"
        embeddings = torch.cat((self.embeddings[:1], self.negative[None], self.embeddings[2:]))
        return self._null_and_direction(self._predict(z, t, embeddings))

    def predict_text(self, z: Tensor, t: Tensor) -> Tensor:
        """The noise by the text alone."""
        return self._predict(z, t, self.embeddings[:1])[0]

    def predict_pushed_text(self, z: Tensor, t: Tensor) -> Tensor:
        """The noise by the text alone; with Perp-Neg e_text + sum_i w_i perp(e_neg_i, e_text)."""
        text, *negatives = self._predict(z, t, torch.cat((self.embeddings[:1], self.embeddings[2:])))
        return self._pushed(text, negatives)

    def predict_null(self, z: Tensor, t: Tensor) -> Tensor:
        """The noise by the null text alone."""
        return self._predict(z, t, self.embeddings[1:2])[0]

    def first_of_asset(self, x: Tensor) -> Tensor:
        """x (B,), on the CPU, with the number of each asset's first item in place of its others'."""
        of_item = self.prompt.tolist()
        return x[[of_item.index(i) for i in of_item]]

    def new_adapter(self, generators: Sequence[torch.Generator]) -> CameraLoRA:
        """A LoRA of the adapted U-Net for each prompt, drawn from its first item's generator."""
        of_item = self.prompt.tolist()
        return CameraLoRA(self.prior.adapted.unet, [generators[of_item.index(i)] for i in range(max(of_item) + 1)])

    def predict_with_adapter(self, adapter: CameraLoRA, z: Tensor, t: Tensor, camera: Tensor) -> Tensor:
        """The LoRA's noise by the plain text, told the pose where `camera` (B,) is true; differentiable.

        The pose alone tells the view, as in threestudio's VSD, which gives its LoRA the text without a direction.
        """
        with adapter.attached(to_device(self.prompt, z.device), torch.where(camera[:, None], self.pose, 0.0)):
            return self.prior.adapted.noise(z, t, self.plain)

    def _predict(self, z: Tensor, t: Tensor, embeddings: Tensor) -> Sequence[Tensor]:
        k = len(embeddings)
        noise = self.prior.noise(z.repeat(k, 1, 1, 1), t.repeat(k), embeddings.flatten(0, 1))
        return noise.split(len(z))

    def _null_and_direction(self, noise: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        text, null, *negatives = noise
        return null, self._pushed(text - null, [negative - null for negative in negatives])

    def _pushed(self, x: Tensor, negatives: Sequence[Tensor]) -> Tensor:
        """x + sum_i w_i perp(negative_i, x); without Perp-Neg there are no negatives."""
        pushed = x
        if self.weights is not None:
            for weight, negative in zip(self.weights, negatives, strict=True):
                pushed = pushed + weight.view(-1, 1, 1, 1) * perpendicular(negative, x)
        return pushed


def perpendicular(x: Tensor, y: Tensor) -> Tensor:
    """x without its projection on y, per item of (B, C, h, w)."""
    along = (x * y).sum((1, 2, 3), keepdim=True) / (y * y).sum((1, 2, 3), keepdim=True).clamp(min=1e-6)
    return x - along * y


class PromptEmbeddings:
    """P prompts in every direction, embedded once; `negative` is an objective's own negative prompt."""

    def __init__(
        self, prior: Prior, prompts: Sequence[str], settings: ViewPrompts, negative: str | None = None
    ) -> None:
        templates = [getattr(settings.templates, name) for name in DIRECTIONS]
        texts = [template.replace(PLACE, prompt) for prompt in prompts for template in templates]
        extra = [*prompts, settings.negative_prompt] + ([] if negative is None else [negative])
        embeddings = prior.embed([*texts, *extra])
        self.prior, self.settings = prior, settings
        self.plain = embeddings[len(texts) : len(texts) + len(prompts)]
        self.null = embeddings[len(texts) + len(prompts)]
        self.negative = None if negative is None else embeddings[-1]
        self.directed = embeddings[: len(texts)].unflatten(0, (len(prompts), len(DIRECTIONS)))

    def guidance_for(self, prompt: Tensor, azimuth: Tensor, elevation: Tensor, distance: Tensor) -> GuidedPrior:
        """Guidance for B views of the prompts of index `prompt` (B,), all on the CPU.

        azimuth and elevation (B,) are in radians, distance (B,) in world units.
        """
        count, device = len(prompt), self.null.device
        pose = to_device(look_at_origin(orbit(azimuth, elevation, distance)).flatten(1), device)
        negative = None if self.negative is None else self.negative.expand(count, -1, -1)
        null, of_item = self.null.expand(count, -1, -1), to_device(prompt, device)
        plain = self.plain[of_item]
        if self.settings.interpolate or self.settings.perp_neg:
            shares = to_device(mixture(azimuth, elevation, self.settings), device)
            text = torch.einsum("bk,bkld->bld", shares, self.directed[of_item])
        else:
            text = self.directed[of_item, to_device(direction(azimuth, elevation, self.settings), device)]
        if not self.settings.perp_neg:
            return GuidedPrior(self.prior, torch.stack((text, null)), plain, prompt, pose, negative=negative)
        wrong, weights = perp_neg(azimuth, elevation, self.settings)
        negatives = self.directed[of_item, to_device(wrong.T, device)]  # (2, B, L, D)
        texts = torch.cat((torch.stack((text, null)), negatives))
        return GuidedPrior(self.prior, texts, plain, prompt, pose, to_device(weights.T, device), negative)
