"""What a job depends on beside the files of the stage before it, so that the workflow reruns just what changed.

Torch-free, because the workflow asks while it plans. Which assets of a shard are redone, the stage itself decides by
finer means: what is stated here may be too much, never too little.
"""

from pathlib import Path
from typing import Any

from jsdpipe.external.assets import files_of, mesh_paths
from jsdpipe.external.settings import External
from jsdpipe.fingerprints import fingerprint
from jsdpipe.layout import Shard
from jsdpipe.model_files import PRIOR
from jsdpipe.run import Run
from jsdpipe.scoring import models


def digest(run: Run, stage: str, shard: Shard) -> str:
    """Hash of what a stage's job of a shard takes from the configuration, of its code, and of the libraries."""
    config, method = run.config, run.config.methods[shard.method]
    taken: dict[str, Any] = {
        "generate": [_making(run, shard), [prompt.text for prompt in shard.prompts], shard.seeds],
        "mesh": (
            [method.up, method.front, config.mesh.missing_material]
            if isinstance(method, External)
            else config.mesh.model_dump(exclude={"missing_material"})
        ),
        "render": [config.render.model_dump(exclude={"keep_views"}), config.scores, config.report.turntable_views],
        "quality": config.quality and config.quality.model_dump(),
        "alignment": config.alignment
        and [
            config.seed,
            config.alignment.model_dump(exclude={"judge": {*config.alignment.judge.unscored}}),
            [prompt.text for prompt in run.prompts[shard.set]] if config.alignment.similarity else [],
        ],
        "diversity": config.diversity and [config.seed, config.diversity.model_dump()],
    }
    return fingerprint(stage, taken[stage])


def _making(run: Run, shard: Shard) -> list[Any]:
    """What the assets of a shard are made of, but for their prompts and seeds."""
    config, method = run.config, run.config.methods[shard.method]
    if isinstance(method, External):
        return [method.model_dump(exclude={"label", "up", "front"}), list(map(str, mesh_paths(run, shard)))]
    assert config.prior is not None
    generation = config.generation.model_dump(exclude={"shard_assets"})
    return [config.seed, config.prior.model_dump(), generation, run.recipes[shard.method].model_dump()]


def source_files(run: Run, shard: Shard) -> list[Path]:
    """The files that a shard's assets are made from: the prior's, none of one from the hub; or those of meshes."""
    method = run.config.methods[shard.method]
    if isinstance(method, External):
        return [file for mesh in mesh_paths(run, shard) for file in files_of(mesh)] if method.path else []
    assert run.config.prior is not None
    folder = PRIOR.local_folder(run.config.prior.model, run.config.prior.revision)
    return PRIOR.files(folder) if folder else []


def model_files(run: Run, stage: str) -> list[Path]:
    """The local files of the models that a score loads; none of a model from the hub."""
    return models.weight_files(run.config, stage)
