"""Guided noise prediction for a batch of latents, each with its own prompt and view."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.base.cameras import look_at_origin, orbit
from jsdpipe.config.views import Views
from jsdpipe.prior.lora import CameraLoRA
from jsdpipe.prior.prior import Prior
from jsdpipe.prior.view_directions import DIRECTIONS, direction, perp_neg


@dataclass(frozen=True)
class Guidance:
    """The prior bound to B prompts and views.

    `embeddings` (K, B, L, D) holds the text, the null text and, for Perp-Neg, the two negatives, whose `weights` are
    (2, B); `plain` (B, L, D) the text without a direction; `negative` (B, L, D) is the objective's own negative prompt,
    if it has one. Item i shows prompt `prompt[i]` (B,) from the camera-to-world matrix `pose[i]` (B, 16).
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

    def alpha(self, t: Tensor) -> Tensor:
        """Cumulative alpha (B,) at timesteps t (B,); at negative ones, where inversion starts, the scheduler's own."""
        return self.prior.alpha(t)

    def __call__(self, z: Tensor, t: Tensor, scale: float) -> Tensor:
        """Guided noise e_null + scale * D in z (B, C, h, w) at t (B,), with D of `parts`, by one call of the U-Net."""
        null, direction = self.parts(z, t)
        return null + scale * direction

    def parts(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """e_null and D = e_text - e_null; with Perp-Neg (arXiv 2304.04968) D + sum_i w_i perp(e_neg_i - e_null, D)."""
        return self._direction(self._predict(z, t, self.embeddings))

    def against(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`parts`, and the noise by the objective's own negative prompt, by one call."""
        assert self.negative is not None
        *noise, negative = self._predict(z, t, torch.cat((self.embeddings, self.negative[None])))
        return *self._direction(noise), negative

    def text(self, z: Tensor, t: Tensor) -> Tensor:
        """The noise by the text alone."""
        return self._predict(z, t, self.embeddings[:1])[0]

    def null(self, z: Tensor, t: Tensor) -> Tensor:
        """The noise by the null text alone."""
        return self._predict(z, t, self.embeddings[1:2])[0]

    def adapter(self, generators: Sequence[torch.Generator]) -> CameraLoRA:
        """A LoRA of the U-Net for each prompt, drawn from its first item's generator."""
        of_item = self.prompt.tolist()
        return CameraLoRA(self.prior.unet, [generators[of_item.index(i)] for i in range(max(of_item) + 1)])

    def adapted(self, adapter: CameraLoRA, z: Tensor, t: Tensor, camera: Tensor) -> Tensor:
        """The adapter's noise by the plain text, told the pose where `camera` (B,) is true; differentiable.

        The view is the pose's to tell, as in threestudio's VSD, which gives its LoRA the text without a direction.
        """
        with adapter.attached(self.prompt.to(z.device), torch.where(camera[:, None], self.pose, 0.0)):
            return self.prior.noise(z, t, self.plain)

    def _predict(self, z: Tensor, t: Tensor, embeddings: Tensor) -> Sequence[Tensor]:
        k = len(embeddings)
        noise = self.prior.predict_noise(z.repeat(k, 1, 1, 1), t.repeat(k), embeddings.flatten(0, 1))
        return noise.unflatten(0, (k, len(z))).unbind()

    def _direction(self, noise: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        text, null, *negatives = noise
        step = text - null
        pushed = step
        if self.weights is not None:
            for weight, negative in zip(self.weights, negatives, strict=True):
                pushed = pushed + weight[:, None, None, None] * perpendicular(negative - null, step)
        return null, pushed


def perpendicular(x: Tensor, y: Tensor) -> Tensor:
    """x without its projection on y, per item of (B, C, h, w)."""
    along = (x * y).sum((1, 2, 3), keepdim=True) / (y * y).sum((1, 2, 3), keepdim=True).clamp(min=1e-6)
    return x - along * y


class ViewPrompts:
    """P prompts in every direction, embedded once; `negative` is an objective's own negative prompt."""

    def __init__(self, prior: Prior, prompts: Sequence[str], views: Views, negative: str | None = None) -> None:
        suffixes = [getattr(views.suffixes, name) for name in DIRECTIONS]
        texts = [prompt + suffix for prompt in prompts for suffix in suffixes]
        extra = [*prompts, views.negative_prompt] + ([] if negative is None else [negative])
        embeddings = prior.embed([*texts, *extra])
        self.prior, self.views = prior, views
        self.plain = embeddings[len(texts) : len(texts) + len(prompts)]
        self.null = embeddings[len(texts) + len(prompts)]
        self.negative = None if negative is None else embeddings[-1]
        self.directed = embeddings[: len(texts)].unflatten(0, (len(prompts), len(DIRECTIONS)))

    def look(self, prompt: Tensor, azimuth: Tensor, elevation: Tensor, distance: Tensor) -> Guidance:
        """Guidance for B views of prompts of index `prompt` (B,), all on the CPU.

        azimuth and elevation (B,) in radians, distance (B,) in world units.
        """
        count, place = len(prompt), self.null.device
        pose = look_at_origin(orbit(azimuth, elevation, distance)).flatten(1).to(place)
        negative = None if self.negative is None else self.negative.expand(count, -1, -1)
        directed, null = self.directed[prompt], self.null.expand(count, -1, -1)
        plain = self.plain[prompt]
        item = torch.arange(count)
        if not self.views.perp_neg:
            text = directed[item, direction(azimuth, elevation, self.views)]
            return Guidance(self.prior, torch.stack((text, null)), plain, prompt, pose, negative=negative)
        shares, wrong, weights = perp_neg(azimuth, elevation, self.views)
        text = torch.einsum("bk,bkld->bld", shares.to(place), directed)
        texts = torch.stack((text, null, *(directed[item, wrong[:, i]] for i in range(2))))
        return Guidance(self.prior, texts, plain, prompt, pose, weights.T.to(place), negative)
