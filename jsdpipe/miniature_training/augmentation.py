"""Changes of training images, so that they resemble meshes of distilled assets, and colors are not taken for shapes."""

import torch
from torch import Tensor
from torch.nn import functional as F

from jsdpipe.miniature.tracing import SIZE
from jsdpipe.models.miniature_captioner import framed

INVERTED_SHARE = 0.3  # of recolored images: colors inverted
DISTILLED_SHARE = 0.5  # of images: mottled and warped
MOTTLE = 0.22  # deviation of the colors of mottled images, at most
WARP = 0.06  # deviation of the places in warped images, at most, in half widths
PATCHES = (4, 8, 16)  # of mottles and warps, along a side


def augment(images: Tensor, draw: torch.Generator) -> Tensor:
    """Zoom, shift, blur and add noise to images (B, 3, 64, 64)."""
    return worn(framed(images, zooms(len(images), draw)), draw)


def zooms(n: int, draw: torch.Generator) -> Tensor:
    """Draw affine maps (n, 2, 3) that zoom and shift."""
    half_height = torch.exp(torch.empty(n).uniform_(-0.35, 0.45, generator=draw))
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = half_height
    affine[:, :, 2] = torch.empty(n, 2).uniform_(-0.12, 0.12, generator=draw)
    return affine


def distilled(images: Tensor, draw: torch.Generator) -> Tensor:
    """Mottle and warp a share of images (B, 3, 64, 64), as the colors and outlines of distilled assets are.

    A black background stays black.
    """
    n = len(images)
    strength = torch.rand(n, 1, 1, 1, generator=draw) * (torch.rand(n, 1, 1, 1, generator=draw) < DISTILLED_SHARE)
    base = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), list(images.shape), align_corners=False)
    shift = WARP * strength * _patches(n, 2, draw)
    images = F.grid_sample(images, base + shift.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
    colored = images.amax(dim=1, keepdim=True).clamp(max=0.1) / 0.1
    return (images + MOTTLE * strength * colored * _patches(n, 3, draw)).clamp(0, 1)


def _patches(n: int, channels: int, draw: torch.Generator) -> Tensor:
    """Smooth noise (n, channels, 64, 64) of unit variance at most; the patches' sizes differ from image to image."""
    shares = torch.softmax(2 * torch.randn(n, len(PATCHES), generator=draw), dim=1)
    noise = torch.zeros(n, channels, SIZE, SIZE)
    for share, count in zip(shares.T, PATCHES, strict=True):
        coarse = torch.randn(n, channels, count, count, generator=draw)
        noise += share[:, None, None, None].sqrt() * F.interpolate(coarse, (SIZE, SIZE), mode="bicubic")
    return noise


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
