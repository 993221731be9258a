"""Loss terms beside the objective, each a small function."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from jsdpipe.scene.hash_grid.marching import Samples, accumulate

CONVEXITY_SIZE = 8  # pixels a side of the picture whose turn is measured
OPAQUE = 0.5  # the opacity of a ray that hits something, so that its depth means something


def sparsity(opacity: Tensor) -> Tensor:
    """Mean of sqrt(opacity^2 + 0.01): few rays should hit anything."""
    return (opacity.square() + 0.01).sqrt().mean()


def opaque(opacity: Tensor) -> Tensor:
    """Mean binary entropy (nats) of the opacity clamped to [1e-3, 1 - 1e-3]: a ray should hit or miss."""
    clamped = opacity.clamp(1e-3, 1 - 1e-3)
    return (torch.special.entr(clamped) + torch.special.entr(1 - clamped)).mean()


def total_variation(volume: Tensor) -> Tensor:
    """Mean squared difference of neighbours along z, y and x of a volume (..., R, R, R), the three axes added."""
    return _TotalVariation.apply(volume)


class _TotalVariation(torch.autograd.Function):
    """The gradient is formed with the value: a quarter of the time that autograd takes over slices."""

    @staticmethod
    def forward(ctx: Any, volume: Tensor) -> Tensor:
        value = volume.new_zeros(())
        gradient = torch.zeros_like(volume)
        for axis in (-3, -2, -1):
            step = volume.diff(dim=axis)
            value += step.square().mean()
            step *= 2 / step.numel()
            gradient.narrow(axis, 1, volume.shape[axis] - 1).add_(step)
            gradient.narrow(axis, 0, volume.shape[axis] - 1).sub_(step)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * ctx.saved_tensors[0]


def orientation(weights: Tensor, normals: Tensor, directions: Tensor, opacity: Tensor) -> Tensor:
    """Sum of w max(0, n . d)^2 over rays hit: what is seen should face the camera (Ref-NeRF, arXiv 2112.03907, eq. 11).

    Weights (M,), unit normals and directions (M, 3) of samples, opacity (N,) of rays. Weights are constants.
    """
    away = (normals * directions).sum(dim=-1).clamp(min=0).square()
    return (weights.detach() * away).sum() / (opacity > 0).sum().clamp(min=1)


def z_variance(weights: Tensor, samples: Samples, opacity: Tensor) -> Tensor:
    """Mean over opaque rays of the weighted variance of depth along them (HiFA, arXiv 2305.18766); 0 if none is."""
    share = weights / opacity.clamp(min=OPAQUE)[samples.ray]  # clamped only where it does not count
    mean = accumulate((share * samples.t)[:, None], samples)[:, 0]
    variance = accumulate((share * (samples.t - mean[samples.ray]).square())[:, None], samples)[:, 0]
    opaque_rays = opacity > OPAQUE
    return variance[opaque_rays].sum() / opaque_rays.sum().clamp(min=1)


def normal_picture(weights: Tensor, normals: Tensor, samples: Samples, opacity: Tensor) -> Tensor:
    """Each ray's normal (N, 3) as a colour, (n + 1) / 2 times its opacity, n the normalised weighted sum."""
    mean = normalize(accumulate(weights[:, None] * normals, samples), dim=-1)
    return (mean + 1) / 2 * opacity[:, None]


def convexity(picture: Tensor) -> Tensor:
    """How little normals turn as a convex body's do, from left to right and from below to above.

    Of a picture (V, H, W, 3) of normals, taken down to 8 x 8 pixels p by bilinear look-ups, it is minus the mean of
    z . (p_left x p_right) minus the mean of z . (p_lower x p_upper), z being the world's up. On unit vectors seen from
    the side the first is the sine of the turn about the vertical: positive where the surface bulges. The public code
    (SDI's, which JSD's takes over) measures it on the colours of `normal_picture`, and so does this, because the
    published weights belong to that scale.
    """
    size = (CONVEXITY_SIZE, CONVEXITY_SIZE)
    p = interpolate(picture.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False)
    along = _z_of_cross(p[..., :-1], p[..., 1:])
    upwards = _z_of_cross(p[..., 1:, :], p[..., :-1, :])
    return -along.mean() - upwards.mean()


def _z_of_cross(a: Tensor, b: Tensor) -> Tensor:
    """The third component (V, H, W) of the cross products of vectors (V, 3, H, W)."""
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
