"""A glTF's materials: the base colour, its texture, and what of it is cut away."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from trimesh.visual.gloss import specular_to_pbr

from jsdpipe.mesh.readers.files import BadMesh
from jsdpipe.mesh.readers.gltf_file import File, Tree
from jsdpipe.mesh.surface import Texture, Wrap

WRAPS: dict[int, Wrap] = {10497: "repeat", 33071: "clamp", 33648: "mirror"}


@dataclass(frozen=True)
class Material:
    """A base colour, `factor` (4,) in linear light, times a texture's `pixels` (H, W, 3 or 4), if they are given.

    `said` is what the material says of its texture, if it names one. What has an alpha below `cutoff` is not there;
    without one, the pixels have no alpha. `blended`: alphas are to let through what is behind, as the texture's
    `clear` would somewhere.
    """

    factor: NDArray[np.float64] | None = None
    pixels: NDArray[np.uint8] | None = None
    said: Tree = field(default_factory=dict)
    wrap: tuple[Wrap, Wrap] = ("repeat", "repeat")
    cutoff: float = 0.0
    blended: bool = False
    clear: bool = False

    @property
    def moved(self) -> Tree:
        """How the texture's coordinates are moved: `KHR_texture_transform`."""
        moved: Tree = self.said.get("extensions", {}).get("KHR_texture_transform", {})
        return moved

    @property
    def coordinates(self) -> str:
        """The attribute that has the texture's coordinates."""
        return f"TEXCOORD_{self.moved.get('texCoord', self.said.get('texCoord', 0))}"

    def texture(self, alpha: float) -> Texture | None:
        """The texture, on what has an alpha of its own; None if nothing of it is there."""
        assert self.pixels is not None
        if self.cutoff <= 0:
            return Texture(np.ascontiguousarray(self.pixels[..., :3]), self.wrap)
        cutoff, alphas = self.cutoff / alpha if alpha > 0 else np.inf, self.pixels[..., 3:] / 255
        if alphas.max(initial=0 if alphas.size else 1) < cutoff:
            return None
        if alphas.min(initial=1) >= cutoff:
            return Texture(np.ascontiguousarray(self.pixels[..., :3]), self.wrap)
        return Texture(self.pixels, self.wrap, cutoff)


def material(file: File, index: int) -> Material:
    """One of a file's materials."""
    of = file.tree["materials"][index]
    if any(of.get("emissiveFactor", ())):
        file.notes.say("has materials that emit light, which is left out")
    glossy = of.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
    found = _metallic(file, of.get("pbrMetallicRoughness", {})) if glossy is None else _glossy(file, glossy)
    mode, pixels = of.get("alphaMode", "OPAQUE"), found.pixels
    if mode == "MASK":
        return replace(found, cutoff=of.get("alphaCutoff", 0.5))
    if pixels is not None:  # without alpha, and once for all that have the material
        found = replace(found, pixels=np.ascontiguousarray(pixels[..., :3]), clear=bool((pixels[..., 3:] < 255).any()))
    return replace(found, blended=mode == "BLEND")


def _metallic(file: File, of: Tree) -> Material:
    factor, said = of.get("baseColorFactor"), of.get("baseColorTexture")
    factor = None if factor is None else np.array(factor, np.float64)
    return Material(factor) if said is None else Material(factor, _pixels(file, said), said, _wrap(file, said))


def _glossy(file: File, of: Tree) -> Material:
    names = ("diffuseTexture", "specularGlossinessTexture")
    pixels = {name: _pixels(file, of[name]) for name in names if name in of}
    images: Tree = {name: Image.fromarray(of).convert("RGBA") for name, of in pixels.items() if of is not None}
    numbers = ("diffuseFactor", "specularFactor", "glossinessFactor")
    base: Tree = specular_to_pbr(**images, **{name: of[name] for name in numbers if name in of})
    factor, texture = base.get("baseColorFactor"), base.get("baseColorTexture")
    said = next((of[name] for name in names if name in of), None)
    return Material(
        None if factor is None else np.array(factor, np.float64),
        None if texture is None else np.asarray(texture),
        said or {},
        _wrap(file, said) if said else ("repeat", "repeat"),
    )


def _pixels(file: File, said: Tree) -> NDArray[np.uint8] | None:
    """A texture's picture; None if it names one that is not there."""
    of = file.tree["textures"][said["index"]]
    others = of.get("extensions", {})
    source = others.get("EXT_texture_webp", of).get("source")
    if source is None:
        raise BadMesh(f"its texture {said['index']} is of a kind that is not read ({', '.join(others)})")
    return file.image(source)


def _wrap(file: File, said: Tree) -> tuple[Wrap, Wrap]:
    sampler: dict[str, Any] = {}
    if (index := file.tree["textures"][said["index"]].get("sampler")) is not None:
        sampler = file.tree["samplers"][index]
    return WRAPS[sampler.get("wrapS", 10497)], WRAPS[sampler.get("wrapT", 10497)]
