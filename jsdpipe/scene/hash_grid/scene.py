"""Scenes of hash grids: a module of parameters for each scene."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import torch
from torch import Tensor, nn

from jsdpipe.scene.cameras import Viewpoints
from jsdpipe.scene.hash_grid.backgrounds import HashGridMap, random_colors
from jsdpipe.scene.hash_grid.counting import Counting, done, side_by_side
from jsdpipe.scene.hash_grid.encoding import levels_open_at
from jsdpipe.scene.hash_grid.field import HashField
from jsdpipe.scene.hash_grid.rendering import SampledRendering, rays_per_chunk, render, rendering
from jsdpipe.scene.hash_grid.settings import HashGridBackground, HashGridField
from jsdpipe.scene.hash_grid.shading import random_shading
from jsdpipe.scene.regularizers import convexity, normal_map, orientation, z_variance
from jsdpipe.scene.rendering import Rendering
from jsdpipe.scene.scene import Scene, SceneBatch


class HashGridScene(HashField, Scene):
    """A field on a hash grid, with a background, and perhaps a material that is lit at times in training."""

    settings: HashGridField

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.named_parameters()) | {"encoding.table": self.encoding.open_table()}

    def render_training(
        self,
        viewpoints: Viewpoints,
        size: int,
        step: int,
        samples: int,
        generators: Mapping[str, torch.Generator],
        *,
        normals: bool,
    ) -> SampledRendering:
        return done(self.training_rendering(viewpoints, size, step, samples, generators, normals=normals))

    def training_rendering(
        self,
        viewpoints: Viewpoints,
        size: int,
        step: int,
        samples: int,
        generators: Mapping[str, torch.Generator],
        *,
        normals: bool,
    ) -> Counting[SampledRendering]:
        """`render_training`, to be run side by side with others."""
        settings, position = self.settings, viewpoints.position
        self.encoding.open_levels = levels_open_at(settings.encoding, step)
        self.update_occupancy(samples, generators["occupancy"])
        shading = None
        if settings.material:
            shading = random_shading(settings.material, step, position, generators["material"]).to(self.device)
        return rendering(
            self,
            *viewpoints.rays(size, self.device),
            samples,
            generators["jitter"],
            shading,
            random_colors(settings.background.random_color_probability, len(position), generators["background"]),
            normals=normals,
        )

    @torch.no_grad()
    def render(self, viewpoints: Viewpoints, size: int, samples: int) -> Rendering:
        chunk = rays_per_chunk(samples, self.device)
        rays = zip(*(x.split(chunk) for x in viewpoints.rays(size, self.device)), strict=True)
        parts = [render(self, *part, samples) for part in rays]
        return Rendering(*(torch.cat([getattr(part, name) for part in parts]) for name in ("rgb", "opacity", "depth")))

    def regularizers(self, rendering: Rendering, views: int) -> dict[str, Callable[[], Tensor]]:
        r = cast(SampledRendering, rendering)
        return super().regularizers(rendering, views) | {
            "z_variance": lambda: z_variance(r.weights, r.samples, r.opacity),
            "orientation": lambda: orientation(r.weights, _normals(r), r.directions[r.samples.ray], r.opacity),
            "convexity": lambda: convexity(_normal_maps(r, views)),
        }


def _normals(r: SampledRendering) -> Tensor:
    assert r.normals is not None  # asked for because a regularizer needs them
    return r.normals


def _normal_maps(r: SampledRendering, views: int) -> Tensor:
    size = round((len(r.opacity) / views) ** 0.5)
    return normal_map(r.weights, _normals(r), r.samples, r.opacity).view(views, size, size, 3)


class HashGridBatch(SceneBatch):
    """Scenes with parameters of their own, drawn from one generator each."""

    def __init__(self, settings: HashGridField, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.settings = settings
        self.fields = nn.ModuleList(HashGridScene(settings, generator) for generator in generators)

    def scenes(self) -> list[HashGridScene]:
        return [cast(HashGridScene, field) for field in self.fields]

    def render_training(
        self,
        scenes: Sequence[HashGridScene],
        viewpoints: Sequence[Viewpoints],
        size: int,
        step: int,
        samples: int,
        generators: Sequence[Mapping[str, torch.Generator]],
        *,
        normals: bool,
    ) -> Sequence[SampledRendering]:
        each = zip(scenes, viewpoints, generators, strict=True)
        renderings = [
            scene.training_rendering(views, size, step, samples, draws, normals=normals) for scene, views, draws in each
        ]
        return done(side_by_side(renderings))

    def by_scene(self, of_parameters: Sequence[Tensor | None]) -> list[list[Tensor]]:
        following = iter(of_parameters)  # the parameters come scene by scene
        return [
            [x for x in islice(following, len(list(scene.parameters()))) if x is not None] for scene in self.scenes()
        ]

    def parameter_groups(self) -> list[dict[str, Any]]:
        settings, scenes = self.settings, self.scenes()
        networks = [network for scene in scenes for network in (scene.density_network, scene.albedo_network)]
        backgrounds = [scene.background for scene in scenes]
        groups: list[tuple[Sequence[nn.Module], float]] = [
            ([scene.encoding for scene in scenes], settings.encoding_lr),
            (networks, settings.network_lr),
        ]
        if isinstance(settings.background, HashGridBackground):
            maps = [cast(HashGridMap, background) for background in backgrounds]
            groups.append(([m.encoding for m in maps], settings.background.encoding_lr))
            backgrounds = [m.network for m in maps]
        groups.append((backgrounds, settings.background.lr))
        return [{"params": [p for module in modules for p in module.parameters()], "lr": lr} for modules, lr in groups]


def build(settings: HashGridField, generators: Sequence[torch.Generator]) -> HashGridBatch:
    """The initial parameters of a batch, one scene a generator."""
    return HashGridBatch(settings, generators)


def restore(settings: HashGridField, tensors: Mapping[str, Tensor]) -> HashGridScene:
    """A frozen scene from its settings and `HashGridScene.tensors()`."""
    scene = HashGridScene(settings).requires_grad_(False)
    scene.load_state_dict(tensors)
    return scene
