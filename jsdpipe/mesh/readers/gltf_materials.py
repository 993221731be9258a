"""A glTF file's materials: base color, texture, alpha mask."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from trimesh.visual.gloss import specular_to_pbr

from jsdpipe.mesh.readers.base import BadMesh
from jsdpipe.mesh.readers.gltf_file import File, Tree
from jsdpipe.mesh.surface import Texture, Wrap

WRAPS: dict[int, Wrap] = {10497: "repeat", 33071: "clamp", 33648: "mirror"}


@dataclass(frozen=True)
class Material:
    """A base color.

    Args:
        factor: RGBA (4,) in linear light, or None for white.
        pixels: the texture (H, W, 3 or 4), or None; without a `cutoff` it has no alpha.
        info: the material's reference to its texture (`textureInfo`); empty if it has none.
        wrap: of the texture, along u and v.
        cutoff: the surface is cut away where alpha is below it.
        blended: whether the material asks for transparency.
        transparent: whether the texture had transparent pixels.
    """

    factor: NDArray[np.float64] | None = None
    pixels: NDArray[np.uint8] | None = None
    info: Tree = field(default_factory=dict)
    wrap: tuple[Wrap, Wrap] = ("repeat", "repeat")
    cutoff: float = 0.0
    blended: bool = False
    transparent: bool = False

    @property
    def transform(self) -> Tree:
        """The texture's `KHR_texture_transform`, empty without."""
        transform: Tree = self.info.get("extensions", {}).get("KHR_texture_transform", {})
        return transform

    @property
    def coordinates(self) -> str:
        """The name of the attribute with the texture's coordinates."""
        return f"TEXCOORD_{self.transform.get('texCoord', self.info.get('texCoord', 0))}"

    def texture(self, alpha: float) -> Texture | None:
        """The texture of a primitive whose own alpha is `alpha`; None if all of it is cut away."""
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
    """Read one of a file's materials."""
    of = file.tree["materials"][index]
    if any(of.get("emissiveFactor", ())):
        file.notes.add("has materials that emit light, which is left out")
    glossy = of.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
    found = _metallic(file, of.get("pbrMetallicRoughness", {})) if glossy is None else _glossy(file, glossy)
    mode, pixels = of.get("alphaMode", "OPAQUE"), found.pixels
    if mode == "MASK":
        return replace(found, cutoff=of.get("alphaCutoff", 0.5))
    if pixels is not None:  # done once for all primitives with this material
        found = replace(
            found, pixels=np.ascontiguousarray(pixels[..., :3]), transparent=bool((pixels[..., 3:] < 255).any())
        )
    return replace(found, blended=mode == "BLEND")


def _metallic(file: File, of: Tree) -> Material:
    factor, info = of.get("baseColorFactor"), of.get("baseColorTexture")
    factor = None if factor is None else np.array(factor, np.float64)
    return Material(factor) if info is None else Material(factor, _pixels(file, info), info, _wrap(file, info))


def _glossy(file: File, of: Tree) -> Material:
    names = ("diffuseTexture", "specularGlossinessTexture")
    pixels = {name: _pixels(file, of[name]) for name in names if name in of}
    images: Tree = {name: Image.fromarray(of).convert("RGBA") for name, of in pixels.items() if of is not None}
    numbers = ("diffuseFactor", "specularFactor", "glossinessFactor")
    base: Tree = specular_to_pbr(**images, **{name: of[name] for name in numbers if name in of})
    factor, texture = base.get("baseColorFactor"), base.get("baseColorTexture")
    info = next((of[name] for name in names if name in of), None)
    return Material(
        None if factor is None else np.array(factor, np.float64),
        None if texture is None else np.asarray(texture),
        info or {},
        _wrap(file, info) if info else ("repeat", "repeat"),
    )


def _pixels(file: File, info: Tree) -> NDArray[np.uint8] | None:
    """Read a texture's image; None if the file is missing."""
    of = file.tree["textures"][info["index"]]
    others = of.get("extensions", {})
    source = others.get("EXT_texture_webp", of).get("source")
    if source is None:
        raise BadMesh(f"its texture {info['index']} is of a kind that is not read ({', '.join(others)})")
    return file.image(source)


def _wrap(file: File, info: Tree) -> tuple[Wrap, Wrap]:
    sampler: dict[str, Any] = {}
    if (index := file.tree["textures"][info["index"]].get("sampler")) is not None:
        sampler = file.tree["samplers"][index]
    return WRAPS[sampler.get("wrapS", 10497)], WRAPS[sampler.get("wrapT", 10497)]
