"""The stage `mesh` of an external method: its files, read and brought to one form."""

from pathlib import Path

from jsdpipe.base.axes import Front, Up, VertexColors
from jsdpipe.base.files import sha256
from jsdpipe.base.mesh_references import files_of
from jsdpipe.base.progress import Advance
from jsdpipe.config.external import External
from jsdpipe.config.prompts import Prompt
from jsdpipe.mesh import reading
from jsdpipe.mesh.mesh_files import Outcome, keep, write_meshes
from jsdpipe.mesh.surface import Surface
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run


def read(run: Run, shard: Shard) -> None:
    """Read the mesh of every asset of a shard, and write its mesh files and the shard's manifest.

    A file that holds no mesh to be scored is a failed record with its reason; an asset without a file keeps its reason.
    """
    method, by = run.config.methods[shard.method], code(run, "mesh", shard)
    assert isinstance(method, External)
    taken = method.up, method.front, run.config.mesh.missing_material == "fail", method.vertex_colors

    def one(folder: Path, prompt: Prompt, seed: int, failed: str | None, advance: Advance) -> Outcome:
        return read_one(folder, failed, by, method.mesh_path(run, shard, prompt, seed), *taken)

    write_meshes(run, shard, 1, one)


def read_one(
    folder: Path,
    failed: str | None,
    by: str,
    mesh: Path,
    up: Up | None,
    front: Front | None,
    whole: bool,
    vertex_colors: VertexColors = "auto",
) -> Outcome:
    """Write the mesh files of one mesh into a folder, as `keep` does; the mesh is read as by `reading.read`."""
    taken = up, front, whole, vertex_colors

    def mark() -> str:
        return fingerprint(by, [[str(path), sha256(path)] for path in files_of(mesh)], *taken)

    return keep(folder, failed, mark, lambda: (_at_the_origin(reading.read(mesh, *taken)), {}))


def _at_the_origin(surface: Surface) -> Surface:
    """A surface with the middle of its box at the origin: far from it, single precision would lose its shape."""
    vertices = surface.vertices
    return surface.at(vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2)
