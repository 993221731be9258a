"""The dependencies of a job besides the files of earlier stages, so that the workflow reruns only what changed.

A digest may change too often, but never too rarely: the stage
itself decides which assets of a shard it makes again.
"""

from jsdpipe.config.scoring_models import weight_files
from jsdpipe.config.stages import STAGES
from jsdpipe.pipeline.contents import contents
from jsdpipe.pipeline.fingerprints import code, code_in, counted, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run
from jsdpipe.study.experiments import GUIDANCE, objective_settings


class Dependencies:
    """The dependencies of a run's jobs; shared ones are computed once, because a run has thousands of jobs."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._shared: dict[tuple[str, str, str, str], str] = {}
        self._files: dict[tuple[str, str], str] = {}
        self._today: dict[tuple[str, str], str] = {}

    def digest(self, stage: str, shard: Shard) -> str:
        """Hash of the settings, the user's files, the code and the libraries that a stage's job of a shard depends on.

        Files count only by content: a replacement may have an older time stamp, and a checkout may be moved.
        """
        code_hash = self._code(stage, shard)
        key = code_hash, stage, shard.method, shard.set
        if key not in self._shared:
            keys = STAGES[stage].depends_on(self._run, shard.method, shard.set)
            self._shared[key] = fingerprint(code_hash, keys, self._shared_files(stage, shard.method))
        if stage != "generate":
            return self._shared[key]
        sources = self._run.config.methods[shard.method].sources(self._run, shard)
        own = [[prompt.text for prompt in shard.prompts], shard.seeds, list(map(str, sources)), contents(sources)]
        return fingerprint(code_hash, self._shared[key], own)

    def _code(self, stage: str, shard: Shard) -> str:
        key = stage, shard.method
        if key not in self._today:
            self._today[key] = code_in(self._run, *key).hash
        return counted(self._run, stage, shard, self._today[key])

    def _shared_files(self, stage: str, method: str) -> str:
        """One hash of the local files that all jobs of a stage and method read: of the prior, or the scoring models."""
        key = stage, method if stage == "generate" else ""
        if key not in self._files:
            files = (
                self._run.config.methods[method].shared_sources(self._run, method)
                if stage == "generate"
                else weight_files(self._run.config, stage)
            )
            self._files[key] = contents(files)
        return self._files[key]


def study_digest(run: Run) -> str:
    """Hash of the settings, recipes, code and libraries that the study depends on."""
    study = run.config.study
    assert study is not None
    objectives = [
        [settings.model_dump() for settings in objective_settings(guidance, study.steps)] for guidance in GUIDANCE
    ]
    return fingerprint(code(run, "study"), run.config.seed, study.model_dump(), objectives)
