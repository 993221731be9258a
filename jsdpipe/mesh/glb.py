"""Surfaces as binary glTF, the form in which every mesh of a run is kept.

glTF is y-up with the front of an asset on +z; our world is z-up with the front on +x. So world (x, y, z) is stored as
glTF (y, z, x), an exact rotation, and viewers show an asset upright and from its front. Colours are stored as they are
(COLOR_0, 8 bit, and baseColorTexture, PNG), without the conversion of COLOR_0 to linear light that glTF means it to
have; as all the protocols' tools do.
"""

from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from jsdpipe.errors import UserError
from jsdpipe.files import atomic
from jsdpipe.mesh.reading import BadMesh, read
from jsdpipe.mesh.surface import Surface


def save(surface: Surface, path: Path) -> None:
    """Write a surface in world axes, a part a texture; the same surface gives the same bytes."""
    scene = trimesh.Scene()
    for index in np.unique(surface.texture):
        used, faces = np.unique(surface.faces[surface.texture == index], return_inverse=True)
        vertices, faces = surface.vertices[used][:, [1, 2, 0]], faces.reshape(-1, 3)
        colours = np.pad(surface.colours[used], ((0, 0), (0, 1)), constant_values=255)
        if index < 0:
            part = trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)
        else:
            visual = _textured(surface.uv[used], surface.textures[index])
            visual.vertex_attributes["color"] = colours
            part = trimesh.Trimesh(vertices, faces, visual=visual, process=False)
        scene.add_geometry(part, geom_name=f"part{index + 1}", node_name=f"part{index + 1}")
    content = scene.export(file_type="glb")
    assert isinstance(content, bytes)
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def load(path: Path) -> Surface:
    """Read a run's own mesh; `UserError` if it is missing or broken."""
    try:
        return read(path)
    except BadMesh as error:
        raise UserError(f"{error}; rerun the mesh stage") from None


def _textured(uv: NDArray[np.float32], texture: NDArray[np.uint8]) -> TextureVisuals:
    material = PBRMaterial(
        baseColorTexture=Image.fromarray(texture), metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True
    )
    return TextureVisuals(uv=uv, material=material)
