"""What a job depends on beside the files of the stage before it, so that the workflow reruns just what changed.

Torch-free, because the workflow asks while it plans. Which assets of a shard are redone, the stage itself decides by
finer means: what is stated here may be too much, never too little.
"""

from jsdpipe.config.scoring_models import weight_files
from jsdpipe.config.stages import STAGES
from jsdpipe.pipeline.contents import contents
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run
from jsdpipe.study.experiments import GUIDANCE, objective_settings


class Dependencies:
    """What the jobs of a run depend on. What many jobs share is found out once: a run has thousands of them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._shared: dict[tuple[str, str, str, str], str] = {}
        self._files: dict[tuple[str, str], str] = {}

    def digest(self, stage: str, shard: Shard) -> str:
        """Hash of what a stage's job of a shard takes from the configuration and the user's files, code and libraries.

        Files count by their contents alone: what replaces one may well be older than it, and a checkout may be moved.
        """
        by = code(self._run, stage, shard)
        key = by, stage, shard.method, shard.set
        if key not in self._shared:
            keys = STAGES[stage].depends_on(self._run, shard.method, shard.set)
            self._shared[key] = fingerprint(by, keys, self._shared_files(stage, shard.method))
        if stage != "generate":
            return self._shared[key]
        sources = self._run.config.methods[shard.method].sources(self._run, shard)
        own = [[prompt.text for prompt in shard.prompts], shard.seeds, list(map(str, sources)), contents(sources)]
        return fingerprint(by, self._shared[key], own)

    def _shared_files(self, stage: str, method: str) -> str:
        """One hash of the local files that all a stage's jobs of a method read: the prior, or the scores' models."""
        key = stage, method if stage == "generate" else ""
        if key not in self._files:
            files = (
                self._run.config.methods[method].shared_sources(self._run)
                if stage == "generate"
                else weight_files(self._run.config, stage)
            )
            self._files[key] = contents(files)
        return self._files[key]


def study_digest(run: Run) -> str:
    """Hash of what the study takes of a run's configuration and of recipes, and of its code and libraries."""
    of = run.config.study
    assert of is not None
    objectives = [[one.model_dump() for one in objective_settings(guidance, of.steps)] for guidance in GUIDANCE]
    return fingerprint(code(run, "study"), run.config.seed, of.model_dump(), objectives)
