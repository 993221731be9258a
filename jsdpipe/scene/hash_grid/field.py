"""The field of a hash-grid scene: density, albedo and normals at points."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from jsdpipe.base.device import graph_samples_at_once
from jsdpipe.scene.hash_grid.backgrounds import build_background
from jsdpipe.scene.hash_grid.encoding import HashEncoding, mlp
from jsdpipe.scene.hash_grid.occupancy import OccupancyGrid
from jsdpipe.scene.hash_grid.settings import AnalyticNormals, HashGridField


class HashField(nn.Module):
    """The parameters of one scene: a field in the ball of radius `settings.bound`, and a background.

    density = softplus(raw) in 1 / world unit, raw = network + blob_scale * (1 - |x| / blob_radius) (Magic3D's blob,
    arXiv 2211.10440); albedo = sigmoid(another network). Both networks share one encoding of the cube around the ball.
    The initial parameters are drawn from the generator.
    """

    def __init__(self, settings: HashGridField, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.encoding = HashEncoding(settings.encoding, generator)
        self.density_network = mlp(self.encoding.width, settings.hidden, 1, 1, generator)
        self.albedo_network = mlp(self.encoding.width, settings.hidden, 1, 3, generator)
        self.background = build_background(settings.background, generator)
        self.occupancy = OccupancyGrid(settings.occupancy_resolution, settings.bound)
        self.steps = 0  # of training

    @property
    def bound(self) -> float:
        return self.settings.bound

    @property
    def device(self) -> torch.device:
        return self.encoding.table.device

    def density_inside(self, points: Tensor) -> Tensor:
        """Density (N,) in 1 / world unit at points (N, 3) in the ball."""
        return softplus(self._raw_at(points))

    def density_anywhere(self, points: Tensor) -> Tensor:
        """Density (N,) at points (N, 3), of which most are in the ball; 0 outside."""
        return self.density_inside(points) * (points.norm(dim=-1) < self.bound)

    def albedo(self, points: Tensor) -> Tensor:
        """Albedo (N, 3) in [0, 1] at points (N, 3)."""
        return torch.sigmoid(self.albedo_network(self._encoded(points)))

    def surface(self, points: Tensor, *, normals: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        """Density (N,), albedo (N, 3) and, if asked for, unit normals (N, 3) at points (N, 3) in the ball.

        Differentiable by the parameters but not by the points, in the memory of `graph_samples_at_once` points.
        """
        modules = (self.encoding, self.density_network, self.albedo_network)
        parameters = [parameter for module in modules for parameter in module.parameters()]
        size = graph_samples_at_once(points.device)
        if not normals:
            density, albedo = in_chunks(self._density_and_albedo, points, parameters, size)
            return density, albedo, None
        density, albedo, found = in_chunks(self._with_normals, points, parameters, size)
        return density, albedo, found

    def ray_step(self, samples: int) -> float:
        """Length of a ray's steps in world units: so many of them cross the cube along its diagonal."""
        return math.sqrt(3) * 2 * self.bound / samples

    def update_occupancy(self, samples: int, generator: torch.Generator) -> None:
        """Count a training step; at the first and every `settings.occupancy_every`-th after it update the grid.

        `samples` is that of `ray_step`.
        """
        if self.steps % self.settings.occupancy_every == 0:
            step = self.ray_step(samples)
            self.occupancy.update(self.steps, lambda points: step * self.density_anywhere(points), generator)
        self.steps += 1

    def _density_and_albedo(self, points: Tensor) -> tuple[Tensor, Tensor]:
        encoded = self._encoded(points)
        return softplus(self._raw(points, encoded)), torch.sigmoid(self.albedo_network(encoded))

    def _with_normals(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        kind = self.settings.normals
        assert kind is not None  # settings that need normals without having them are refused
        if not isinstance(kind, AnalyticNormals):
            return *self._density_and_albedo(points), finite_difference_normals(self._raw_at, points, kind.epsilon)
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            encoded = self._encoded(points)
            raw = self._raw(points, encoded)
            normals = analytic_normals(raw, points)
            return softplus(raw), torch.sigmoid(self.albedo_network(encoded)), normals

    def _encoded(self, points: Tensor) -> Tensor:
        return self.encoding(points / (2 * self.bound) + 0.5)

    def _raw(self, points: Tensor, encoded: Tensor) -> Tensor:
        blob = self.settings.blob_scale * (1 - points.norm(dim=-1) / self.settings.blob_radius)
        return self.density_network(encoded)[:, 0] + blob

    def _raw_at(self, points: Tensor) -> Tensor:
        return self._raw(points, self._encoded(points))


# Normals point against the density's gradient. They are computed from `raw`, whose softplus the density is: the two
# gradients have the same direction, but that of raw does not vanish where the density underflows.


def analytic_normals(raw: Tensor, points: Tensor) -> Tensor:
    """Unit normals (N, 3) by automatic differentiation of raw (N,) by the points (N, 3) it was computed from.

    Differentiable; 0 where the gradient is 0.
    """
    (gradient,) = torch.autograd.grad(raw.sum(), points, create_graph=True)
    return -normalize(gradient, dim=-1)


def finite_difference_normals(raw_at: Callable[[Tensor], Tensor], points: Tensor, epsilon: float) -> Tensor:
    """Unit normals (N, 3) at points (N, 3) by central differences over +-epsilon along each axis."""
    offsets = epsilon * torch.eye(3, dtype=points.dtype, device=points.device)
    around = torch.cat((points[:, None] + offsets, points[:, None] - offsets), dim=1)  # (N, 6, 3)
    ahead, behind = raw_at(around.reshape(-1, 3)).view(-1, 2, 3).unbind(dim=1)
    return -normalize(ahead - behind, dim=-1)


def in_chunks(
    evaluate: Callable[[Tensor], tuple[Tensor, ...]], points: Tensor, parameters: Sequence[Tensor], size: int
) -> tuple[Tensor, ...]:
    """`evaluate(points)`, tensors (N, ...) of points (N, 3), differentiable by `parameters` but not by the points.

    More than `size` points are evaluated in chunks of that size, and once more in the backward pass, so that only one
    chunk's graph exists at a time.
    """
    if len(points) <= size:
        return evaluate(points)
    return _Chunked.apply(evaluate, points, size, *parameters)


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, evaluate: Callable[[Tensor], tuple[Tensor, ...]], points: Tensor, size: int, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.evaluate, ctx.size = evaluate, size
        ctx.save_for_backward(points, *parameters)
        chunks = [[value.detach() for value in evaluate(chunk)] for chunk in points.split(size)]
        return tuple(torch.cat(values) for values in zip(*chunks, strict=True))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        points, *parameters = ctx.saved_tensors
        totals = [torch.zeros_like(parameter) for parameter in parameters]
        for chunk, *on_values in zip(*(x.split(ctx.size) for x in (points, *gradients)), strict=True):
            with torch.enable_grad():
                values = ctx.evaluate(chunk)
            found = torch.autograd.grad(values, parameters, on_values, allow_unused=True)
            for total, gradient in zip(totals, found, strict=True):
                if gradient is not None:
                    total += gradient
        return None, None, None, *totals
