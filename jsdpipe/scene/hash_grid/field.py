"""Fields of density and albedo on a hash grid, with a background: a module an asset."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from jsdpipe.base.device import GRAPH_CHUNK
from jsdpipe.scene.chunked_gradients import in_parts
from jsdpipe.scene.hash_grid.backgrounds import build_background
from jsdpipe.scene.hash_grid.encoding import HashEncoding
from jsdpipe.scene.hash_grid.networks import network
from jsdpipe.scene.hash_grid.normals import analytic_normals, finite_difference_normals
from jsdpipe.scene.hash_grid.occupancy import OccupancyGrid
from jsdpipe.scene.hash_grid.settings import AnalyticNormals, HashGridField


class HashField(nn.Module):
    """One asset: a field in the ball of radius `settings.bound`, its encoding over the cube around that.

    density = softplus(raw), raw = network + blob_scale * (1 - |x| / blob_radius), in 1 / world unit (Magic3D's blob,
    arXiv 2211.10440); albedo = sigmoid(another network). First parameters are drawn from the generator.
    """

    def __init__(self, settings: HashGridField, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.encoding = HashEncoding(settings.encoding, generator)
        self.density_network = network(self.encoding.width, settings.hidden, 1, 1, generator)
        self.albedo_network = network(self.encoding.width, settings.hidden, 1, 3, generator)
        self.background = build_background(settings.background, generator)
        self.occupancy = OccupancyGrid(settings.occupancy_resolution, settings.bound)

    @property
    def device(self) -> torch.device:
        return self.encoding.table.device

    def density_at(self, points: Tensor) -> Tensor:
        """Density (N,) at points (N, 3); 0 outside of the ball."""
        return softplus(self._raw_at(points)) * (points.norm(dim=-1) < self.settings.bound)

    def albedo_at(self, points: Tensor) -> Tensor:
        """Albedo (N, 3) in [0, 1] at points (N, 3)."""
        return torch.sigmoid(self.albedo_network(self._encoded(points)))

    def with_normals_at(self, points: Tensor, *, normals: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        """Density (N,), albedo (N, 3) and, if asked for, unit normals (N, 3) at points (N, 3) in the ball.

        Differentiable by the parameters, in the memory of `GRAPH_CHUNK` points.
        """
        modules = (self.encoding, self.density_network, self.albedo_network)
        parameters = [parameter for module in modules for parameter in module.parameters()]
        size = GRAPH_CHUNK[points.device.type]
        if not normals:
            density, albedo = in_parts(self._surface, points, parameters, size)
            return density, albedo, None
        density, albedo, found = in_parts(self._surface_with_normals, points, parameters, size)
        return density, albedo, found

    def update_occupancy(self, step: int, ray_step: float, generator: torch.Generator) -> None:
        """Keep up the grid of what is empty, when a step of the optimisation asks for it; `ray_step` in world units."""
        if step % self.settings.occupancy_every == 0:
            self.occupancy.update(step, lambda points: ray_step * self.density_at(points), generator)

    def tensors(self) -> dict[str, Tensor]:
        """The parameters by name, for a file."""
        return dict(self.named_parameters())

    def _surface(self, points: Tensor) -> tuple[Tensor, Tensor]:
        encoded = self._encoded(points)
        return softplus(self._raw(points, encoded)), torch.sigmoid(self.albedo_network(encoded))

    def _surface_with_normals(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        kind = self.settings.normals
        if not isinstance(kind, AnalyticNormals):
            return *self._surface(points), finite_difference_normals(self._raw_at, points, kind.epsilon)
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            encoded = self._encoded(points)
            raw = self._raw(points, encoded)
            normals = analytic_normals(raw, points)
            return softplus(raw), torch.sigmoid(self.albedo_network(encoded)), normals

    def _encoded(self, points: Tensor) -> Tensor:
        return self.encoding(points / (2 * self.settings.bound) + 0.5)

    def _raw(self, points: Tensor, encoded: Tensor) -> Tensor:
        blob = self.settings.blob_scale * (1 - points.norm(dim=-1) / self.settings.blob_radius)
        return self.density_network(encoded)[:, 0] + blob

    def _raw_at(self, points: Tensor) -> Tensor:
        return self._raw(points, self._encoded(points))


class HashFields(nn.Module):
    """The fields of a batch of assets, each with parameters of its own, drawn from its generator."""

    def __init__(self, settings: HashGridField, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.settings = settings
        self.fields = nn.ModuleList(HashField(settings, generator) for generator in generators)

    def volumes(self) -> list[HashField]:
        """The assets one by one."""
        return [cast(HashField, field) for field in self.fields]

    def gradients(self) -> list[list[Tensor]]:
        """Of each asset, the gradients of its parameters."""
        return [[p.grad for p in field.parameters() if p.grad is not None] for field in self.volumes()]

    def parameter_groups(self) -> list[dict[str, object]]:
        """For an optimiser: the fields' and the backgrounds' parameters, each with its learning rate."""
        behind = [p for field in self.volumes() for p in field.background.parameters()]
        fields = [p for name, p in self.named_parameters() if ".background." not in name]
        return [
            {"params": fields, "lr": self.settings.lr},
            {"params": behind, "lr": self.settings.background.lr},
        ]
