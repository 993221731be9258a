"""Shading of surface points: their albedo, or diffuse by a point light (DreamFusion, arXiv 2209.14988, sec. 3.1)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from jsdpipe.base.device import to_device
from jsdpipe.scene.hash_grid.settings import Material

Mode = Literal["albedo", "diffuse", "textureless", "normals"]


@dataclass(frozen=True)
class Shading:
    """The mode that V views are shaded in, and the positions of their point lights (V, 3) in world units."""

    mode: Mode
    lights: Tensor

    def to(self, device: torch.device) -> "Shading":
        return Shading(self.mode, to_device(self.lights, device))


def random_shading(settings: Material, step: int, cameras: Tensor, generator: torch.Generator) -> Shading:
    """The shading of a training step for cameras at positions (V, 3) on the CPU.

    A light's direction from the origin is that of a draw from N(camera position, 1); its distance is uniform. Every
    step takes the same number of draws.
    """
    lit, textureless = torch.rand(2, generator=generator).tolist()
    direction = normalize(cameras + torch.randn(cameras.shape, generator=generator), dim=-1)
    near, far = settings.light_distance
    lights = direction * (near + (far - near) * torch.rand(len(cameras), 1, generator=generator))
    if step < settings.albedo_only_steps or lit >= settings.lit_probability:
        return Shading("albedo", lights)
    if textureless >= settings.textureless_probability:
        return Shading("diffuse", lights)
    return Shading("normals" if settings.textureless_as == "normals" else "textureless", lights)


def shade(settings: Material, mode: Mode, albedo: Tensor, normals: Tensor, points: Tensor, lights: Tensor) -> Tensor:
    """Colors (N, 3) of points (N, 3) with albedo (N, 3), unit normals (N, 3) and a light (N, 3) each.

    "diffuse" is (ambient + diffuse * max(0, normal . direction to the light)) * albedo; "textureless" has albedo 1;
    "normals" is (normal + 1) / 2.
    """
    if mode == "albedo":
        return albedo
    # 0 * albedo: its network gets a gradient of 0 rather than none, so that Adam goes on by its momentum, as in the
    # public codes
    if mode == "normals":
        return (normals + 1) / 2 + 0 * albedo
    cosine = (normals * normalize(lights - points, dim=-1)).sum(dim=-1, keepdim=True)
    light = settings.ambient + settings.diffuse * cosine.clamp(min=0)
    return light + 0 * albedo if mode == "textureless" else light * albedo
