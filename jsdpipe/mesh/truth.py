"""The stage `mesh` of the truth: the miniature world's own scenes as meshes."""

from pathlib import Path

import torch
from torch import Tensor

from jsdpipe.base.progress import Advance, unseen
from jsdpipe.base.seeding import generator
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.truth import Truth
from jsdpipe.mesh.isosurface import extract
from jsdpipe.mesh.mesh_files import Outcome, write_meshes, write_unless_current
from jsdpipe.mesh.surface import Surface
from jsdpipe.miniature.grammar import parse
from jsdpipe.miniature.scenes import compose
from jsdpipe.miniature.solids import Scene, albedo, distance, select
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run

BOUND = 1.2  # every scene is within this cube: the lowest is a snowman's rock, whose end is at z = -1.18


def build(run: Run, shard: Shard) -> None:
    """Write the mesh files of every asset of a shard, and the shard's manifest."""
    method, made_by = run.config.methods[shard.method], code(run, "mesh", shard)
    assert isinstance(method, Truth)

    def one(folder: Path, prompt: Prompt, seed: int, failed: str | None, advance: Advance) -> Outcome:
        return build_one(folder, failed, made_by, run.config.seed, prompt, seed, method.resolution, advance)

    write_meshes(run, shard, method.resolution, one)


def build_one(
    folder: Path,
    failed: str | None,
    code: str,
    run_seed: int,
    prompt: Prompt,
    seed: int,
    resolution: int,
    advance: Advance = unseen,
    parts: int | None = None,
) -> Outcome:
    """Write the mesh files of a prompt's truth into a folder, unless they are up to date.

    `parts` is the number of things and surroundings that are shown; None for all.
    """
    return write_unless_current(
        folder,
        failed,
        lambda: fingerprint(code, run_seed, prompt.text, seed, resolution, parts),
        lambda: (surface(scene(run_seed, prompt, seed)[:parts], resolution, advance), {}),
    )


def scene(run_seed: int, prompt: Prompt, seed: int) -> Scene:
    """Draw a scene of the miniature world for a prompt; colors that it does not name are drawn too.

    Raises ValueError if the prompt is outside the grammar.
    """
    return compose([parse(prompt.text)], generator(run_seed, "truth", prompt.id, seed))


def surface(scene: Scene, resolution: int, advance: Advance = unseen) -> Surface:
    """The surface of one scene, with its colors at the vertices; `resolution` samples along each edge of the cube."""
    return extract(_Density(scene), resolution, threshold=1.0, advance=advance)[0]


class _Density:
    """One minus a scene's signed distance, which is 1 on the surface."""

    bound = BOUND

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def density(self, points: Tensor) -> Tensor:
        return 1 - distance(self._scene, points)

    def albedo(self, points: Tensor) -> Tensor:
        return albedo(select(self._scene, torch.zeros(len(points), dtype=torch.long)), points)
