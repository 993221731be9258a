"""Gradients of many points in the memory of few: parts are evaluated twice, their graphs never live side by side."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Evaluate = Callable[[Tensor], tuple[Tensor, ...]]


def in_parts(evaluate: Evaluate, points: Tensor, parameters: Sequence[Tensor], size: int) -> tuple[Tensor, ...]:
    """`evaluate(points)`, tensors (N, ...) of points (N, 3), differentiable by `parameters` but not by the points.

    More than `size` points are taken in parts of that size, which `evaluate` sees again for the gradient.
    """
    if len(points) <= size:
        return evaluate(points)
    return _InParts.apply(evaluate, points, size, *parameters)


class _InParts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, evaluate: Evaluate, points: Tensor, size: int, *parameters: Tensor) -> tuple[Tensor, ...]:
        ctx.evaluate, ctx.size = evaluate, size
        ctx.save_for_backward(points, *parameters)
        parts = [[value.detach() for value in evaluate(part)] for part in points.split(size)]
        return tuple(torch.cat(values) for values in zip(*parts, strict=True))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        points, *parameters = ctx.saved_tensors
        totals = [torch.zeros_like(parameter) for parameter in parameters]
        for part, *on_values in zip(*(x.split(ctx.size) for x in (points, *gradients)), strict=True):
            with torch.enable_grad():
                values = ctx.evaluate(part)
            found = torch.autograd.grad(values, parameters, on_values, allow_unused=True)
            for total, gradient in zip(totals, found, strict=True):
                if gradient is not None:
                    total += gradient
        return None, None, None, *totals
