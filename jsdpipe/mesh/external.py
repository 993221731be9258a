"""The stage `mesh` of an external method: its files, read and brought to one form."""

from pathlib import Path

from jsdpipe.base.axes import Front, Up, VertexColors
from jsdpipe.base.files import sha256
from jsdpipe.base.mesh_references import files_of
from jsdpipe.base.progress import Advance
from jsdpipe.config.external import External
from jsdpipe.config.prompts import Prompt
from jsdpipe.mesh import reading
from jsdpipe.mesh.mesh_files import Outcome, write_meshes, write_unless_current
from jsdpipe.mesh.surface import Surface
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run


def convert(run: Run, shard: Shard) -> None:
    """Read the mesh of every asset of a shard, and write its mesh files and the shard's manifest.

    A file that holds no mesh to be scored is a failed record with its reason; an asset without a file keeps its reason.
    """
    method, made_by = run.config.methods[shard.method], code(run, "mesh", shard)
    assert isinstance(method, External)
    options = method.up, method.front, run.config.mesh.missing_material == "fail", method.vertex_colors

    def one(folder: Path, prompt: Prompt, seed: int, failed: str | None, advance: Advance) -> Outcome:
        return convert_one(folder, failed, made_by, method.mesh_path(run, shard, prompt, seed), *options)

    write_meshes(run, shard, 1, one)


def convert_one(
    folder: Path,
    failed: str | None,
    code: str,
    mesh: Path,
    up: Up | None,
    front: Front | None,
    require_materials: bool,
    vertex_colors: VertexColors = "auto",
) -> Outcome:
    """Write the mesh files of a mesh into a folder, unless they are up to date, with the options of `reading.read`."""
    options = up, front, require_materials, vertex_colors

    def expected() -> str:
        return fingerprint(code, [[str(path), sha256(path)] for path in files_of(mesh)], *options)

    return write_unless_current(folder, failed, expected, lambda: (_centered(reading.read(mesh, *options)), {}))


def _centered(surface: Surface) -> Surface:
    """Move the center of the bounding box to the origin; far from it, single precision would lose the shape."""
    vertices = surface.vertices
    return surface.at(vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2)
