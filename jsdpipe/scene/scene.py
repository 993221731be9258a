"""What the loop, the files and the mesh need of a scene, whatever its kind."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from jsdpipe.base.schedules import value_at
from jsdpipe.scene.cameras import Viewpoints
from jsdpipe.scene.regularizers import opaque, sparsity
from jsdpipe.scene.rendering import Rendering
from jsdpipe.scene.settings import Regularizers, SceneSettings


class Scene(ABC):
    """One asset: density and albedo in a volume around the origin, by default the ball of radius `bound`."""

    settings: SceneSettings

    @property
    @abstractmethod
    def bound(self) -> float:
        """The ball's radius, or half the side of a cube, in world units."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the parameters are."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """The parameters by name, for a file."""

    @abstractmethod
    def render_training(
        self,
        viewpoints: Viewpoints,
        size: int,
        step: int,
        samples: int,
        generators: Mapping[str, torch.Generator],
        *,
        normals: bool,
    ) -> Rendering:
        """Render V training views, differentiable by the parameters; rays are in the order of `Viewpoints.rays(size)`.

        `samples` is how many steps cross the whole scene: along the ball's diameter or, in hash grids, along the
        diagonal of the cube around it. `generators` holds one generator for each purpose, which keeps its state from
        step to step. `normals` says whether a regularizer needs them in this step.
        """

    @abstractmethod
    def render(self, viewpoints: Viewpoints, size: int, samples: int) -> Rendering:
        """Render views for evaluation: albedo or latents over the background, without draws or gradients."""

    @abstractmethod
    def albedo(self, points: Tensor) -> Tensor:
        """Albedo (N, 3) in [0, 1] at points (N, 3)."""

    @abstractmethod
    def density_inside(self, points: Tensor) -> Tensor:
        """Density (N,) in 1 / world unit at points (N, 3) in the volume."""

    def inside(self, points: Tensor) -> Tensor:
        """Whether points (N, 3) are in the volume (N,)."""
        return points.norm(dim=-1) < self.bound

    def density(self, points: Tensor) -> Tensor:
        """Density (N,) in 1 / world unit at points (N, 3); 0 outside the volume."""
        inside = self.inside(points)  # about half of a cube's points, and a network is slow
        found = self.density_inside(points[inside])
        density = found.new_zeros(len(points))
        density[inside] = found
        return density

    def regularizers(self, rendering: Rendering, views: int) -> dict[str, Callable[[], Tensor]]:
        """The loss terms of `settings.regularizers` by name, of a training rendering of so many square views."""
        return {"sparsity": lambda: sparsity(rendering.opacity), "opaque": lambda: opaque(rendering.opacity)}

    def regularization(self, weights: Regularizers, step: int, rendering: Rendering, views: int) -> Tensor:
        """The weighted sum () of the loss terms at a step; a term with weight 0 is not computed."""
        terms = [
            weight * term()
            for name, term in self.regularizers(rendering, views).items()
            if (weight := value_at(getattr(weights, name), step))
        ]
        return reduce(torch.add, terms) if terms else rendering.opacity.new_zeros(())


class SceneBatch(nn.Module, ABC):
    """The parameters of scenes that are optimized side by side."""

    @abstractmethod
    def scenes(self) -> Sequence[Scene]:
        """The scenes one by one; gradients flow back to the parameters."""

    def render_training(
        self,
        scenes: Sequence[Any],
        viewpoints: Sequence[Viewpoints],
        size: int,
        step: int,
        samples: int,
        generators: Sequence[Mapping[str, torch.Generator]],
        *,
        normals: bool,
    ) -> Sequence[Rendering]:
        """`Scene.render_training` of each of its `scenes()`, with viewpoints and generators of its own."""
        each = zip(scenes, viewpoints, generators, strict=True)
        return [
            scene.render_training(views, size, step, samples, draws, normals=normals) for scene, views, draws in each
        ]

    def by_scene(self, of_parameters: Sequence[Tensor | None]) -> list[list[Tensor]]:
        """Each scene's parts (views) of tensors with the parameters' shapes and order; None is left out.

        Here the scenes lie along every parameter's first axis.
        """
        count = len(next(self.parameters()))
        return [[x[scene] for x in of_parameters if x is not None] for scene in range(count)]

    def gradients(self) -> list[list[Tensor]]:
        """The gradients of each scene's parameters; changes in place reach the optimizer."""
        return self.by_scene([p.grad for p in self.parameters()])

    @abstractmethod
    def parameter_groups(self) -> list[dict[str, Any]]:
        """The parameters with their learning rates, for an optimizer."""
