"""The stage `mesh` of a control: another method's mesh, made wrong."""

from pathlib import Path

from jsdpipe.base.files import sha256
from jsdpipe.base.progress import Advance
from jsdpipe.config.control import Control
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.truth import Truth
from jsdpipe.mesh import damages, glb, truth
from jsdpipe.mesh.mesh_files import Outcome, write_meshes, write_unless_current
from jsdpipe.mesh.reading import BadMesh, check
from jsdpipe.mesh.surface import Surface
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run


def convert(run: Run, shard: Shard) -> None:
    """Write the mesh files of every asset of a shard, and the shard's manifest; a failed asset keeps its reason."""
    method, made_by = run.config.methods[shard.method], code(run, "mesh", shard)
    assert isinstance(method, Control)

    def one(folder: Path, prompt: Prompt, seed: int, failed: str | None, advance: Advance) -> Outcome:
        if method.draws_truth(run):
            of = run.config.methods[method.of]
            assert isinstance(of, Truth)
            _, shown = method.shown_prompt(run, shard.set, prompt)
            # scenes begin with the thing that is never left out
            parts = 1 if method.control == "left-out" else None
            return truth.build_one(folder, failed, made_by, run.config.seed, shown, seed, of.resolution, parts=parts)
        source = run.layout.asset(method.shown_asset(run, shard, prompt, seed)) / "mesh.glb"
        key = (run.config.seed, method.control, prompt.id, seed) if method.control == "holes" else ()
        return write_unless_current(
            folder,
            failed,
            lambda: fingerprint(made_by, sha256(source), method.control, method.dose, key),
            lambda: (_damaged(glb.load(source), method, *key), {}),
        )

    write_meshes(run, shard, 1, one)


def _damaged(surface: Surface, method: Control, *key: str | int) -> Surface:
    """The surface with a control's damage; `key` seeds its draws. Raises `BadMesh` if nothing to be seen is left."""
    control, dose = method.control, method.dose
    try:
        if control == "holes":
            assert dose is not None
            surface = damages.holes(surface, dose, *key)
        elif dose is not None:
            surface = damages.WITH_DOSE[control](surface, dose)
        elif control != "wrong-prompt":
            surface = damages.WITHOUT_DOSE[control](surface)
        check(surface)
    except BadMesh as error:
        raise BadMesh(f"{control}: {error}") from None
    return surface
