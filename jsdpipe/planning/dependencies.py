"""What a job depends on beside the files of the stage before it, so that the workflow reruns just what changed.

Torch-free, because the workflow asks while it plans. Which assets of a shard are redone, the stage itself decides by
finer means: what is stated here may be too much, never too little.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from jsdpipe import metrics, models
from jsdpipe.config.external import External
from jsdpipe.config.run_config import OfRecipe
from jsdpipe.model_files.formats import PRIOR
from jsdpipe.pipeline.contents import contents
from jsdpipe.pipeline.external_assets import files_of, mesh_paths
from jsdpipe.pipeline.fingerprints import fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run


class Dependencies:
    """What the jobs of a run depend on. What many jobs share is found out once: a run has thousands of them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._digests: dict[tuple[str, str, str], str] = {}
        self._contents: dict[str, str] = {}
        self._sources: dict[str, list[Path]] = {}

    def digest(self, stage: str, shard: Shard) -> str:
        """Hash of what a stage's job of a shard takes from the configuration and the user's files, code and libraries.

        The workflow looks at the files' time stamps too, but what replaces one may well be older than it.
        """
        shared = self._shared(stage, shard.method, shard.set)
        if stage != "generate":
            return shared
        own = [[prompt.text for prompt in shard.prompts], shard.seeds]
        if isinstance(self._run.config.methods[shard.method], External):
            own += [list(map(str, mesh_paths(self._run, shard))), contents(self.source_files(shard))]
        return fingerprint(stage, shared, own)

    def _shared(self, stage: str, method: str, part: str) -> str:
        key = stage, method, part
        if key not in self._digests:
            made_by_recipe = stage == "generate" and isinstance(self._run.config.methods[method], OfRecipe)
            brought = contents(self._prior_files) if made_by_recipe else self._models(stage)
            self._digests[key] = fingerprint(stage, taken(self._run, *key), brought)
        return self._digests[key]

    def _models(self, stage: str) -> str:
        if stage not in self._contents:
            self._contents[stage] = contents([*model_files(self._run, stage), *metric_files(self._run, stage)])
        return self._contents[stage]

    def source_files(self, shard: Shard) -> list[Path]:
        """The files that a shard's assets are made from: the prior's, none of one from the hub; or those of meshes."""
        method = self._run.config.methods[shard.method]
        if isinstance(method, OfRecipe):
            return self._prior_files
        if shard.name not in self._sources:
            meshes = mesh_paths(self._run, shard) if method.path else []
            self._sources[shard.name] = [file for mesh in meshes for file in files_of(mesh)]
        return self._sources[shard.name]

    @cached_property
    def _prior_files(self) -> list[Path]:
        prior = self._run.config.prior
        assert prior is not None
        folder = PRIOR.local_folder(prior.model, prior.revision)
        return PRIOR.files(folder) if folder else []


def taken(run: Run, stage: str, method: str, part: str) -> dict[str, Any]:
    """What a stage takes of a run for every asset of a method and set, by the configuration's keys.

    `methods.<name>` is the recipe with its overrides. The prompts and seeds are not in it.
    """
    config, of = run.config, run.config.methods[method]
    match stage:
        case "generate" if isinstance(of, External):
            return {f"methods.{method}": of.model_dump(exclude={"label", "up", "front", "vertex_colors"})}
        case "generate":
            assert config.prior is not None
            return {
                "seed": config.seed,
                "prior": config.prior.model_dump(),
                "generation": config.generation.model_dump(exclude={"shard_assets"}),
                f"methods.{method}": run.recipes[method].model_dump(),
            }
        case "mesh" if isinstance(of, External):
            return {
                f"methods.{method}": {"up": of.up, "front": of.front, "vertex_colors": of.vertex_colors},
                "mesh": {"missing_material": config.mesh.missing_material},
            }
        case "mesh":
            return {"mesh": config.mesh.model_dump(exclude={"missing_material"})}
        case "render":
            return {
                "render": config.render.model_dump(exclude={"keep_views"}),
                "scores": config.rigs,
                "report": {"turntable_views": config.report.turntable_views},
            }
        case "quality" if config.quality:
            return {"quality": config.quality.model_dump()}
        case "alignment" if config.alignment:
            ranked_among = [prompt.text for prompt in run.prompts[part]] if config.alignment.similarity else []
            return {
                "seed": config.seed,
                "alignment": config.alignment.model_dump(exclude={"judge": {*config.alignment.judge.unscored}}),
                f"sets.{part}": ranked_among,
            }
        case "diversity" if config.diversity:
            return {"seed": config.seed, "diversity": config.diversity.model_dump()}
        case "metrics" if config.metrics:
            return {"metrics": config.metrics}
    raise ValueError(f"no stage of this run: {stage}")


def model_files(run: Run, stage: str) -> list[Path]:
    """The local files of the models that a score loads; none of a model from the hub."""
    return models.weight_files(run.config, stage)


def metric_files(run: Run, stage: str) -> list[Path]:
    """The files that the metrics which a stage computes are from."""
    return [metrics.source(metric.name) for metric in metrics.named(run.config)] if stage == metrics.STAGE else []
