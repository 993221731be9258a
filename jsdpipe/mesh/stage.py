"""The stage `mesh` of a recipe: the surface of an asset's field."""

from pathlib import Path

from jsdpipe.base.files import sha256
from jsdpipe.base.progress import Advance
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.run_config import Mesh
from jsdpipe.mesh.isosurface import colours
from jsdpipe.mesh.isosurface import extract as extract_surface
from jsdpipe.mesh.mesh_files import Details, Outcome, keep, write_meshes
from jsdpipe.mesh.surface import Surface
from jsdpipe.mesh.texturing import textured
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run
from jsdpipe.scene import files as scenes


def extract(run: Run, shard: Shard) -> None:
    """Write the mesh files of every asset of a shard that has a surface, and the shard's manifest.

    An empty field is a failed record with its reason; an asset that failed before keeps its reason.
    """
    config, by = run.config.mesh, code(run, "mesh", shard)

    def one(folder: Path, prompt: Prompt, seed: int, failed: str | None, advance: Advance) -> Outcome:
        return extract_one(folder, failed, by, config, advance)

    assert config.resolution is not None
    write_meshes(run, shard, config.resolution, one)


def extract_one(folder: Path, failed: str | None, by: str, config: Mesh, advance: Advance) -> Outcome:
    """Write `mesh.glb` and `mesh.json` of the asset in a folder, unless they are there; `failed` says why it has none.

    `by` is the code's hash. Returns why there is no mesh, or None, and what else its record says: the mesh's numbers,
    and notes. What has to be sampled advances by up to `config.resolution` steps.
    """
    assert config.resolution is not None and config.threshold is not None
    resolution, level = config.resolution, config.threshold
    source = folder / "scene.safetensors"

    def surface() -> tuple[Surface, Details]:
        field = scenes.load(source)
        found, threshold = extract_surface(field, resolution, level, config.min_component, advance)
        if config.texture is not None:
            found = textured(found, lambda points: colours(field, points), config.texture)
        return found, {"threshold": threshold}

    taken = config.model_dump(exclude={"missing_material"})
    return keep(folder, failed, lambda: fingerprint(by, sha256(source), taken), surface, "obj" in config.formats)
