"""Changes of training images, so that they resemble meshes of distilled assets, and colors are not taken for shapes."""

import torch
from torch import Tensor
from torch.nn import functional as F

from jsdpipe.miniature.tracing import SIZE
from jsdpipe.models.miniature_captioner import framed

INVERTED_SHARE = 0.3  # of recolored images: colors inverted


def augment(images: Tensor, draw: torch.Generator) -> Tensor:
    """Zoom, shift, blur and add noise to images (B, 3, 64, 64), so that they resemble meshes of distilled assets."""
    return worn(framed(images, zooms(len(images), draw)), draw)


def zooms(n: int, draw: torch.Generator) -> Tensor:
    """Draw affine maps (n, 2, 3) that zoom and shift."""
    half_height = torch.exp(torch.empty(n).uniform_(-0.35, 0.45, generator=draw))
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = half_height
    affine[:, :, 2] = torch.empty(n, 2).uniform_(-0.12, 0.12, generator=draw)
    return affine


def worn(images: Tensor, draw: torch.Generator) -> Tensor:
    """Blur images (B, 3, 64, 64), add noise, and change their brightness."""
    n = len(images)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    soft = torch.rand(n, 1, 1, 1, generator=draw).square()
    images = torch.lerp(images, blurred, soft)
    grain = torch.randn(n, 3, SIZE // 2, SIZE // 2, generator=draw)
    grain = F.interpolate(grain, scale_factor=2.0, mode="bilinear", align_corners=False)
    strength = 0.06 * torch.rand(n, 1, 1, 1, generator=draw).square()
    gain = 1 + 0.15 * (torch.rand(n, 1, 1, 1, generator=draw) * 2 - 1)
    return (images * gain + strength * grain).clamp(0, 1)


def recolor(images: Tensor, draw: torch.Generator) -> Tensor:
    """Mix the channels of images (B, 3, H, W) at random and invert some, so that only shapes are preserved."""
    n = len(images)
    mixture = torch.softmax(3 * torch.randn(n, 3, 3, generator=draw), dim=2)
    mixed = torch.einsum("bdc,bchw->bdhw", mixture, images)
    inverted = torch.rand(n, 1, 1, 1, generator=draw) < INVERTED_SHARE
    return torch.where(inverted, 1 - mixed, mixed)
