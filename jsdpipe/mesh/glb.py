"""Meshes as binary glTF.

glTF is y-up with the front of an asset on +z; our world is z-up with the front on +x. So world (x, y, z) is stored as
glTF (y, z, x), an exact rotation, and viewers show an asset upright and from its front. Vertex colours are stored as
they are (COLOR_0, 8 bit), without the conversion to linear light that glTF means them to have; as all the protocols'
tools do.
"""

from pathlib import Path

import trimesh

from jsdpipe.errors import UserError
from jsdpipe.files import atomic
from jsdpipe.mesh.coloured import coloured, colours_of
from jsdpipe.mesh.surface import Surface


def save(mesh: trimesh.Trimesh, path: Path) -> None:
    """Write a mesh in world axes; the same mesh gives the same bytes."""
    stored = coloured(mesh.vertices[:, [1, 2, 0]], mesh.faces, colours_of(mesh))
    content = stored.export(file_type="glb")
    assert isinstance(content, bytes)
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def load(path: Path) -> Surface:
    """Read a mesh back into world axes, all of its geometries as one, vertices and faces in their order.

    Raises `UserError` if the file is missing, broken, or holds no triangles.
    """
    try:
        stored = trimesh.load_scene(path, process=False).to_mesh()
    except Exception as error:  # a broken file makes the reader raise errors of any kind
        raise UserError(f"{path}: cannot be read as a mesh ({error}); rerun the mesh stage") from None
    if not len(stored.faces):
        raise UserError(f"{path}: holds no triangles; rerun the mesh stage")
    return Surface.coloured(stored.vertices[:, [2, 0, 1]], stored.faces, colours_of(stored))
