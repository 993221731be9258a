"""The stage `mesh` of a control: another method's mesh, made wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from jsdpipe.base.files import sha256
from jsdpipe.base.progress import Advance
from jsdpipe.config.control import Control
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.truth import Truth
from jsdpipe.mesh import glb, truth
from jsdpipe.mesh.mesh_files import Outcome, write_meshes, write_unless_current
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
            return truth.build_one(folder, failed, made_by, run.config.seed, shown, seed, of.resolution)
        source = run.layout.asset(method.shown_asset(run, shard, prompt, seed)) / "mesh.glb"
        return write_unless_current(
            folder,
            failed,
            lambda: fingerprint(made_by, sha256(source), method.control),
            lambda: (_spoiled(glb.load(source), method.control), {}),
        )

    write_meshes(run, shard, 1, one)


def _spoiled(surface: Surface, control: str) -> Surface:
    return black(surface) if control == "black" else surface


def black(surface: Surface) -> Surface:
    """The surface all in black, of which no view shows anything."""
    untextured = np.full_like(surface.texture, -1)
    return replace(surface, colors=np.zeros_like(surface.colors), texture=untextured, textures=())
