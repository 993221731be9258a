"""Guided noise prediction for a batch of latents, each with its own prompt and view."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.prior.prior import Prior
from jsdpipe.prior.views import DIRECTIONS, direction, perp_neg
from jsdpipe.recipes.views import Views


@dataclass(frozen=True)
class Guidance:
    """The prior bound to B prompts and views.

    `embeddings` (K, B, L, D) holds the text, the null text and, for Perp-Neg, the two negatives, whose `weights` are
    (2, B).
    """

    prior: Prior
    embeddings: Tensor
    weights: Tensor | None = None

    @property
    def timesteps(self) -> int:
        """How many timesteps the schedule has."""
        return self.prior.timesteps

    def alpha(self, t: Tensor) -> Tensor:
        """Cumulative alpha (B,) at timesteps t (B,); 1 at negative ones."""
        return self.prior.alpha(t)

    def __call__(self, z: Tensor, t: Tensor, scale: float) -> Tensor:
        """Guided noise e_null + scale * D, D = e_text - e_null, in z (B, C, h, w) at t (B,), by one call of the U-Net.

        With Perp-Neg (arXiv 2304.04968) D also gets sum_i w_i perp(e_neg_i - e_null, D).
        """
        k = len(self.embeddings)
        noise = self.prior.predict_noise(z.repeat(k, 1, 1, 1), t.repeat(k), self.embeddings.flatten(0, 1))
        text, null, *negatives = noise.unflatten(0, (k, len(z)))
        step = text - null
        pushed = step
        if self.weights is not None:
            for weight, negative in zip(self.weights, negatives, strict=True):
                pushed = pushed + weight[:, None, None, None] * perpendicular(negative - null, step)
        return null + scale * pushed


def perpendicular(x: Tensor, y: Tensor) -> Tensor:
    """x without its projection on y, per item of (B, C, h, w)."""
    along = (x * y).sum((1, 2, 3), keepdim=True) / (y * y).sum((1, 2, 3), keepdim=True).clamp(min=1e-6)
    return x - along * y


class ViewPrompts:
    """P prompts in every direction, embedded once."""

    def __init__(self, prior: Prior, prompts: Sequence[str], views: Views) -> None:
        suffixes = [getattr(views.suffixes, name) for name in DIRECTIONS]
        texts = [prompt + suffix for prompt in prompts for suffix in suffixes]
        embeddings = prior.embed([*texts, views.negative_prompt])
        self.prior, self.views = prior, views
        self.null = embeddings[-1]
        self.directed = embeddings[:-1].unflatten(0, (len(prompts), len(DIRECTIONS)))

    def look(self, prompt: Tensor, azimuth: Tensor, elevation: Tensor) -> Guidance:
        """Guidance for B views: prompts of index `prompt` (B,), at azimuth, elevation (B,) in radians, all on CPU."""
        directed, null = self.directed[prompt], self.null.expand(len(prompt), -1, -1)
        item = torch.arange(len(prompt))
        if not self.views.perp_neg:
            text = directed[item, direction(azimuth, elevation, self.views)]
            return Guidance(self.prior, torch.stack((text, null)))
        shares, negatives, weights = perp_neg(azimuth, elevation, self.views)
        text = torch.einsum("bk,bkld->bld", shares.to(directed.device), directed)
        wrong = [directed[item, negatives[:, i]] for i in range(2)]
        return Guidance(self.prior, torch.stack((text, null, *wrong)), weights.T.to(directed.device))
