"""Degradations of images by dose, from which the reward learns what is worse, as ImageReward does from people."""

import torch
from torch import Tensor
from torch.nn import functional as F

from jsdpipe.mesh.srgb import LUMA
from jsdpipe.miniature_training.augmentation import colored, patches, warped

KINDS = ("mottle", "warp", "blur", "color blur", "smoothing", "holes", "saturation")
# each at the dose 1
MOTTLE = 0.4  # deviation of colors
WARP = 0.1  # deviation of places, in half widths
BLUR = 5.0  # deviation of the Gaussian, in pixels
HOLES = 0.6  # share of the image
SATURATION = 1.0  # change of the distance from grey, either way
EDGE = 0.1  # of a smoothed silhouette: how much of its blurred coverage it takes from nothing to all


def degraded(images: Tensor, doses: Tensor, draw: torch.Generator) -> Tensor:
    """Degrade each image (B, 3, 64, 64) in [0, 1] once for each of its doses (D, B) in [0, 1], to (D, B, 3, 64, 64).

    Each image has one kind of degradation, drawn at random, and the same pattern at all doses. Black stays black.
    """
    n = len(images)
    which = torch.tensor([KINDS.index(kind) for kind in random_kinds(n, draw)])
    field, spots = patches(n, 3, draw), patches(n, 1, draw)
    sign = torch.randint(2, (n, 1, 1, 1), generator=draw) * 2 - 1
    covered, behind = colored(images), images[:, :, :1, :1]
    grey = torch.einsum("c,bchw->bhw", torch.from_numpy(LUMA).float(), images)[:, None]
    result = []
    for dose in doses[..., None, None, None]:
        soft, mask = blurred(images, BLUR * dose), blurred(covered, BLUR * dose)
        smooth = (soft / mask.clamp_min(1e-3)).clamp(0, 1)
        # spots are nearly normal, so this cuts off the highest of them, on the holes' share of the image
        cut = torch.erfinv(1 - 2 * HOLES * dose) * 2**0.5 * spots.std(dim=(2, 3), keepdim=True)
        options = {
            "mottle": (images + MOTTLE * dose * covered * field).clamp(0, 1),
            "warp": warped(images, WARP * dose * field[:, :2]),
            "blur": soft,
            "color blur": smooth * covered,
            "smoothing": smooth * ((mask - 0.5) / EDGE + 0.5).clamp(0, 1),
            "holes": torch.where(spots > cut, behind, images),
            "saturation": (grey + (1 + SATURATION * dose * sign) * (images - grey)).clamp(0, 1),
        }
        result.append(torch.stack([options[kind] for kind in KINDS])[which, torch.arange(n)])
    return torch.stack(result)


def random_kinds(n: int, draw: torch.Generator) -> list[str]:
    """Draw n of `KINDS`."""
    return [KINDS[i] for i in torch.randint(len(KINDS), (n,), generator=draw).tolist()]


def blurred(images: Tensor, deviation: Tensor) -> Tensor:
    """Blur images (B, C, H, W) by a Gaussian, with a deviation (B, 1, 1, 1) in pixels for each."""
    n, channels, *_ = images.shape
    reach = int(3 * BLUR)
    places = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-(places**2) / (2 * deviation.reshape(n, 1).clamp_min(1e-2) ** 2))
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)[:, None]
    flat = images.reshape(1, n * channels, *images.shape[2:])
    flat = F.pad(flat, (reach,) * 4, mode="replicate")
    flat = F.conv2d(flat, kernel[:, :, None], groups=n * channels)
    return F.conv2d(flat, kernel[..., None], groups=n * channels).reshape(images.shape)
