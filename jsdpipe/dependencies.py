"""What a job depends on beside the files of the stage before it, so that the workflow reruns just what changed.

Torch-free, because the workflow asks while it plans. Which assets of a shard are redone, the stage itself decides by
finer means: what is stated here may be too much, never too little.
"""

from pathlib import Path
from typing import Any

from jsdpipe.fingerprints import fingerprint
from jsdpipe.layout import Shard
from jsdpipe.model_files import PRIOR
from jsdpipe.run import Run
from jsdpipe.scoring import models


def digest(run: Run, stage: str, shard: Shard) -> str:
    """Hash of what a stage's job of a shard takes from the configuration, of its code, and of the libraries."""
    config = run.config
    taken: dict[str, Any] = {
        "generate": [
            config.seed,
            config.prior.model_dump(),
            config.generation.model_dump(exclude={"shard_assets"}),
            run.recipes[shard.method].model_dump(),
            [prompt.text for prompt in shard.prompts],
            shard.seeds,
        ],
        "mesh": config.mesh.model_dump(),
        "render": [config.render.model_dump(exclude={"keep_views"}), config.report.turntable_views],
        "quality": config.quality.model_dump(),
        "alignment": [
            config.seed,
            config.alignment.model_dump(exclude={"judge": {*config.alignment.judge.unscored}}),
            [prompt.text for prompt in run.prompts[shard.set]] if config.alignment.similarity else [],
        ],
        "diversity": [config.seed, config.diversity.model_dump()],
    }
    return fingerprint(stage, taken[stage])


def model_files(run: Run, stage: str) -> list[Path]:
    """The local files of the models that a stage loads; none of a model from the hub."""
    if stage == "generate":
        folder = PRIOR.local_folder(run.config.prior.model, run.config.prior.revision)
        return PRIOR.files(folder) if folder else []
    return models.weight_files(run.config, stage)
