"""The stage `mesh` of a recipe: the surface of an asset's field."""

from pathlib import Path

from jsdpipe.base.files import sha256
from jsdpipe.base.progress import Advance
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.run_config import Mesh
from jsdpipe.mesh.isosurface import extract as extract_surface
from jsdpipe.mesh.isosurface import sample_colors
from jsdpipe.mesh.mesh_files import Details, Outcome, write_meshes, write_unless_current
from jsdpipe.mesh.surface import Surface
from jsdpipe.mesh.texturing import bake_texture
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run
from jsdpipe.scene import files as scenes


def extract(run: Run, shard: Shard) -> None:
    """Write the mesh files of every asset of a shard that has a surface, and the shard's manifest.

    An empty field is a failed record with its reason; an asset that failed before keeps its reason.
    """
    config, made_by = run.config.mesh, code(run, "mesh", shard)

    def one(folder: Path, prompt: Prompt, seed: int, failed: str | None, advance: Advance) -> Outcome:
        return extract_one(folder, failed, made_by, config, advance)

    assert config.resolution is not None
    write_meshes(run, shard, config.resolution, one)


def extract_one(folder: Path, failed: str | None, code: str, config: Mesh, advance: Advance) -> Outcome:
    """Write the mesh files from the field in an asset's folder, unless they are up to date.

    Args:
        failed: why the asset has no field, or None.
        code: the hash of the code that makes them.
        advance: called up to `config.resolution` times.

    Returns:
        Why there is no mesh, or None, and the rest of the asset's record: the mesh's numbers and notes.
    """
    assert config.resolution is not None and config.threshold is not None
    resolution, level = config.resolution, config.threshold
    source = folder / "scene.safetensors"

    def surface() -> tuple[Surface, Details]:
        field = scenes.load(source)
        found, threshold = extract_surface(field, resolution, level, config.min_component, advance)
        if config.texture is not None:
            found = bake_texture(found, lambda points: sample_colors(field, points), config.texture)
        return found, {"threshold": threshold}

    def expected() -> str:
        return fingerprint(code, sha256(source), config.model_dump(exclude={"missing_material"}))

    return write_unless_current(folder, failed, expected, surface, "obj" in config.formats)
