"""Loss terms beside the objective, each a small function."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from jsdpipe.base.schedules import value_at
from jsdpipe.scene.ray_samples import Samples, accumulate
from jsdpipe.scene.settings import NEED_NORMALS, Regularizers

CONVEXITY_SIZE = 8  # pixels a side of the normal map whose turn is measured
OPAQUE = 0.5  # opacity above which a ray counts as hitting a surface, so that its depth means something


def needs_normals(weights: Regularizers, step: int) -> bool:
    """Whether a term that has a weight at this step uses normals."""
    return any(value_at(getattr(weights, name), step) for name in NEED_NORMALS)


def sparsity(opacity: Tensor) -> Tensor:
    """Mean of sqrt(opacity^2 + 0.01): few rays should hit anything."""
    return (opacity.square() + 0.01).sqrt().mean()


def opaque(opacity: Tensor) -> Tensor:
    """Mean binary entropy (nats) of the opacity clamped to [1e-3, 1 - 1e-3]: a ray should hit or miss."""
    clamped = opacity.clamp(1e-3, 1 - 1e-3)
    return (torch.special.entr(clamped) + torch.special.entr(1 - clamped)).mean()


def total_variation(*grids: Tensor) -> Tensor:
    """Mean squared difference of neighbors in a grid (C, R, R, R), the sum over its three axes and over the grids."""
    return _TotalVariation.apply(*grids)


class _TotalVariation(torch.autograd.Function):
    """Computes the gradient along with the value, in a quarter of the time that autograd takes over slices."""

    @staticmethod
    def forward(ctx: Any, *grids: Tensor) -> Tensor:
        ctx.channels = [len(grid) for grid in grids]
        together = torch.cat(grids)
        squares, gradient = [], torch.zeros_like(together)
        for axis in (-3, -2, -1):
            step = together.diff(dim=axis)
            for of_grid in step.split(ctx.channels):
                squares.append(torch.linalg.vector_norm(of_grid).square() / of_grid.numel())
                of_grid *= 2 / of_grid.numel()
            gradient.narrow(axis, 1, together.shape[axis] - 1).add_(step)
            gradient.narrow(axis, 0, together.shape[axis] - 1).sub_(step)
        ctx.save_for_backward(gradient)
        return torch.stack(squares).sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        return (gradients[0] * ctx.saved_tensors[0]).split(ctx.channels)


def orientation(weights: Tensor, normals: Tensor, directions: Tensor, opacity: Tensor) -> Tensor:
    """Penalty on visible normals that face away from the camera (Ref-NeRF, arXiv 2112.03907, eq. 11).

    The sum of w max(0, n . d)^2 over samples, divided by the number of rays with opacity. Samples have weights (M,),
    which get no gradient, unit normals (M, 3) and ray directions (M, 3); rays have opacity (N,).
    """
    away = (normals * directions).sum(dim=-1).clamp(min=0).square()
    return (weights.detach() * away).sum() / (opacity > 0).sum().clamp(min=1)


def z_variance(weights: Tensor, samples: Samples, opacity: Tensor) -> Tensor:
    """Mean over opaque rays of the weighted variance of depth along each (HiFA, arXiv 2305.18766); 0 if there is none.

    Weights (M,) of the samples, opacity (N,) of the rays.
    """
    share = weights / opacity.clamp(min=OPAQUE)[samples.ray]  # clamped only on rays that are not opaque
    mean = accumulate((share * samples.t)[:, None], samples)[:, 0]
    variance = accumulate((share * (samples.t - mean[samples.ray]).square())[:, None], samples)[:, 0]
    opaque_rays = opacity > OPAQUE
    return torch.where(opaque_rays, variance, 0).sum() / opaque_rays.sum().clamp(min=1)


def normal_map(weights: Tensor, normals: Tensor, samples: Samples, opacity: Tensor) -> Tensor:
    """Each ray's normal as a color (N, 3), (n + 1) / 2 times its opacity; n is the normalized weighted sum."""
    mean = normalize(accumulate(weights[:, None] * normals, samples), dim=-1)
    return (mean + 1) / 2 * opacity[:, None]


def convexity(normals: Tensor) -> Tensor:
    """How little the normals of normal maps (V, H, W, 3) turn outwards, as those of a convex body do.

    The maps are reduced to 8 x 8 pixels p by bilinear sampling. The term is minus the mean of z . (p_left x p_right)
    minus the mean of z . (p_lower x p_upper), where z is the world's up. For unit normals seen from the side the first
    is the sine of their turn about the vertical, which is positive where the surface bulges. The public code (that of
    SDI, arXiv 2405.15891, which JSD's takes over) applies it to the colors of `normal_map`, and so does this, because
    the published weights belong to that scale.
    """
    size = (CONVEXITY_SIZE, CONVEXITY_SIZE)
    p = interpolate(normals.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False)
    along = _z_of_cross(p[..., :-1], p[..., 1:])
    upwards = _z_of_cross(p[..., 1:, :], p[..., :-1, :])
    return -along.mean() - upwards.mean()


def _z_of_cross(a: Tensor, b: Tensor) -> Tensor:
    """The third component (V, H, W) of the cross products of vectors (V, 3, H, W)."""
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
