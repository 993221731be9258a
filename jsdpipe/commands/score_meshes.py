"""Score existing meshes, by the stages themselves, in a temporary run of one prompt.

Torch-free until the work begins, so that mistakes are reported at once.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from errno import EISDIR
from pathlib import Path
from typing import Any

from jsdpipe.base.axes import Front, Up, VertexColors, to_world, up_of
from jsdpipe.base.columns import columns
from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json, sha256, try_writing, write_json
from jsdpipe.base.provenance import provenance
from jsdpipe.base.validation import at
from jsdpipe.commands.config_argument import source
from jsdpipe.config.external import External
from jsdpipe.config.prompts import Prompt, to_prompt
from jsdpipe.config.run_config import PromptSet, RunConfig, read_config
from jsdpipe.config.scoring_models import check_prompt, fetch_models
from jsdpipe.pipeline.fingerprints import code
from jsdpipe.pipeline.layout import AssetKey, Shard
from jsdpipe.pipeline.manifests import asset_record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.unfamiliar_prompts import scored_by_the_miniature, warn_of_unfamiliar

METHOD, SET = "given", "by-hand"


def score(
    meshes: Sequence[Path],
    prompt: str,
    config: str | None = None,
    up: Up | None = None,
    front: Front | None = None,
    vertex_colors: VertexColors = "auto",
) -> dict[str, Any]:
    """Score the quality and alignment of meshes, and the diversity of several, as seeds of one prompt.

    Args:
        meshes: GLB, GLTF, OBJ, PLY or STL files.
        prompt: what the meshes should show.
        config: the path of a configuration with the views and models to use; by default the miniature's.
        up: the up axis of the files; by default y for glTF, z for others.
        front: the front axis of the files; by default z if y is up, x if z is up.
        vertex_colors: how to read glTF's vertex colors; "auto" decides by the program that wrote them.

    Returns:
        `prompt` and `config`; `assets`, the numbers, `reason` and `notes` of each mesh; `diversity`, or None for
        fewer than two meshes; and `provenance`. A mesh that cannot be scored has a reason and the lowest scores.

    Raises:
        UserError: an argument is wrong.
    """
    with at("--prompt"):
        subject = to_prompt(prompt)
    for mesh in meshes:
        try:
            to_world(up or up_of(mesh.suffix.lower()), front)
        except ValueError as error:
            raise UserError(f"--front: {error}; give another") from None
    if missing := [mesh for mesh in meshes if not mesh.is_file()]:
        what = "is a folder; name the files in it" if missing[0].is_dir() else "no such file; correct the path"
        raise UserError(f"MESH: {missing[0]}: {what}")
    content, name = source(config)
    of = read_config(content, name)
    with at("--prompt"):
        check_prompt(of, subject.text)
    with at(name):
        fetch_models(of)  # now, and not after minutes of rendering
    if scored_by_the_miniature(of):
        warn_of_unfamiliar([("--prompt", subject.text)])
    import torch

    from jsdpipe.render.stage import render
    from jsdpipe.scoring import alignment, diversity, quality

    stages: dict[str, Callable[[Run, Shard], None]] = {
        "render": render,
        "quality": quality.score,
        "alignment": alignment.score,
        "diversity": diversity.score,
    }
    with tempfile.TemporaryDirectory(prefix="jsdpipe-") as folder:
        run = _run(of, Path(folder), subject, len(meshes))
        (shard,) = run.shards()
        _take(run, shard, meshes, up, front, run.config.mesh.missing_material == "fail", vertex_colors)
        for stage, work in stages.items():
            if stage in of.stages:
                torch.set_num_threads(of.need(stage).threads)  # as the workflow's job: the last bits depend on it
                work(run, shard)
        return {"prompt": subject.text, "config": name, **_found(run, shard, meshes)}


def table(found: dict[str, Any]) -> str:
    """The result of `score` as text."""
    rows = [("mesh", "quality ↑", "alignment ↑", "average ↑", "caption")]
    for asset in found["assets"]:
        both = asset.get("quality"), asset.get("alignment")
        average = None if None in both else sum(both) / 2
        said = asset.get("caption", "") if asset["reason"] is None else f"failed: {asset['reason']}"
        rows.append((asset["mesh"], *map(_number, (*both, average)), said))
    lines = [columns(rows)]
    lines += [f"note on {asset['mesh']}: {note}" for asset in found["assets"] for note in asset["notes"]]
    if (together := found["diversity"]) is not None:
        shown = (f"{name} {_number(together[name], 3)}" for name in ("iq", "iv", "cosine"))
        count = sum(asset["reason"] is None for asset in found["assets"])
        lines.append(f"diversity of {count}: {', '.join(shown)}")
    return "\n".join(lines)


def _run(config: RunConfig, folder: Path, prompt: Prompt, seeds: int) -> Run:
    changes = {
        "seeds": list(range(seeds)),
        "sets": {SET: PromptSet(file="PROMPT")},
        "methods": {METHOD: External(kind="external", path="{seed}.glb")},  # only its name counts
        "generation": config.generation.model_copy(update={"shard_assets": seeds}),
    }
    return Run(folder, config.model_copy(update=changes), {}, {SET: (prompt,)})


def _take(run: Run, shard: Shard, meshes: Sequence[Path], *taken: Any) -> None:
    """Do the stage `mesh` for these files instead of a method's; `convert_one` explains `taken`."""
    from jsdpipe.mesh.external import convert_one

    records = []
    for (prompt, seed), mesh in zip(shard.assets(), meshes, strict=True):
        folder = run.layout.asset(AssetKey(METHOD, SET, prompt.id, seed))
        reason, numbers = convert_one(folder, None, code(run, "mesh", shard), mesh, *taken)
        records.append(asset_record(prompt, seed, reason, **numbers))
    write_manifest(run, "mesh", shard, records, provenance())


def _found(run: Run, shard: Shard, meshes: Sequence[Path]) -> dict[str, Any]:
    scores = run.config.scores
    stages = [read_manifest(run, stage, shard) for stage in ("mesh", "render", *scores) if stage != "diversity"]
    assets = [
        {"mesh": str(mesh), "sha256": sha256(mesh)}
        | {key: value for record in records for key, value in record.items()}
        | {"notes": [note for record in records for note in record["notes"]]}
        for mesh, *records in zip(meshes, *stages, strict=True)
    ]
    (together,) = read_manifest(run, "diversity", shard) if "diversity" in scores else (None,)
    making = {stage: read_json(run.layout.manifest(stage, shard))["provenance"] for stage in scores}
    several = sum(asset["reason"] is None for asset in assets) > 1
    return {"assets": assets, "diversity": together if several else None, "provenance": making}


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def check_writable(out: Path) -> None:
    """Raise `UserError` before the work if the result cannot be written."""
    with _writing(out):
        if out.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        try_writing(out.parent)


def write(found: dict[str, Any], out: Path) -> None:
    """Write the result of `score` as JSON; `UserError` if the file cannot be written."""
    with _writing(out):
        write_json(out, found)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"--out: {out}: cannot be written ({error.strerror}); give another file") from None
