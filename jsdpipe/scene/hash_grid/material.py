"""How points of the surface look: their albedo, or lit by a point light (DreamFusion, arXiv 2209.14988, sec. 3.1)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from jsdpipe.scene.hash_grid.settings import Material

Shading = Literal["albedo", "diffuse", "textureless"]


@dataclass(frozen=True)
class Look:
    """How V views are shaded, with their lights' positions (V, 3) in world units."""

    shading: Shading
    lights: Tensor

    def to(self, device: torch.device) -> "Look":
        return Look(self.shading, self.lights.to(device))


def draw_look(settings: Material, step: int, cameras: Tensor, generator: torch.Generator) -> Look:
    """The look of a training step, with cameras at positions (V, 3) on the CPU.

    Lights: direction from the origin ~ N(camera position, 1), distance uniform. As many draws in every step.
    """
    lit, textureless = torch.rand(2, generator=generator).tolist()
    direction = normalize(cameras + torch.randn(cameras.shape, generator=generator), dim=-1)
    near, far = settings.light_distance
    lights = direction * (near + (far - near) * torch.rand(len(cameras), 1, generator=generator))
    if step < settings.albedo_only_steps or lit >= settings.lit_probability:
        return Look("albedo", lights)
    return Look("textureless" if textureless < settings.textureless_probability else "diffuse", lights)


def shade(
    settings: Material, shading: Shading, albedo: Tensor, normals: Tensor, points: Tensor, lights: Tensor
) -> Tensor:
    """Colours (N, 3) of points (N, 3) with unit normals (N, 3) and albedo (N, 3), each with its light (N, 3).

    Lit: (ambient + diffuse max(0, normal . direction to the light)) times the albedo, or times white if textureless.
    """
    if shading == "albedo":
        return albedo
    cosine = (normals * normalize(lights - points, dim=-1)).sum(dim=-1, keepdim=True)
    light = settings.ambient + settings.diffuse * cosine.clamp(min=0)
    return light.expand_as(albedo) if shading == "textureless" else light * albedo
