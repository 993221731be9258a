# The run's configuration, and helpers that the rules share.

import gc
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path

from jsdpipe import metrics
from jsdpipe.base.errors import UserError
from jsdpipe.base.validation import overrides, read_yaml
from jsdpipe.config.run_config import resolve
from jsdpipe.config.stages import STAGES
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import of_run
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.dependencies import Dependencies, study_digest
from snakemake.utils import update_config


@contextmanager
def one_line_errors():
    """Print a `UserError` as one line and exit, without Snakemake's traceback."""
    try:
        yield
    except UserError as error:
        print(f"jsdpipe: error: {error}", file=sys.stderr)
        sys.exit(2)


# A large plan has millions of long-lived objects, which the garbage collector would scan again and again.
gc.set_threshold(100_000)

with one_line_errors():
    CONFIG_NAME = ", ".join(os.path.relpath(path) for path in workflow.configfiles)
    if len(workflow.configfiles) > 1:
        raise UserError(
            f"--configfile: {CONFIG_NAME}: configurations cannot be combined; give one, and change its keys by --config"
        )
    # Read again, to refuse duplicate keys: Snakemake silently keeps the last one.
    read_yaml(Path(CONFIG_NAME))
    update_config(config, overrides(workflow.config_settings.config_args or []))
    RESOLVED = resolve(config, CONFIG_NAME)
    CONFIG = RESOLVED.config
    RUN = Run.of(RESOLVED, of_run(CONFIG.run))

LAYOUT = RUN.layout
DEPENDENCIES = Dependencies(RUN)


# Use the commands of this Python's environment, even if it is not activated.
shell.prefix(f'set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; ')


wildcard_constraints:
    shard=r"[^/]+/[^/]+/[0-9]+",


def job_digest(job):
    """The digest of what a job of a shard depends on, besides its input files; the job reruns if it changes.

    If all shards have the same digest, it is returned as a plain value, which Snakemake handles faster than a function.
    """

    def of(shard):
        digests = [DEPENDENCIES.digest(stage, shard) for stage in job]
        return digests[0] if len(digests) == 1 else fingerprint(digests)

    if "generate" not in job and len(digests := {of(shard) for shard in RUN.shards()}) == 1:
        return digests.pop()
    return lambda wildcards: of(RUN.shard(wildcards.shard))


def read_by(job):
    """The stages of other jobs whose manifests of the shard a job reads."""
    read = [before for stage in job for before in STAGES[stage].reads(CONFIG)]
    return [before for before in dict.fromkeys(read) if before not in job]


def views_of(stages):
    """Whether stages write or read the views of a shard."""
    return {STAGES[stage].views for stage in stages} - {None}


def meshes_read(stage):
    """The manifests of other methods' meshes that a stage's job of a shard reads: those that a control is made from."""
    if stage != "generate" or not any(method.kind == "control" for method in CONFIG.methods.values()):
        return []

    def manifests(wildcards):
        shard = RUN.shard(wildcards.shard)
        return [LAYOUT.manifest("mesh", of) for of in CONFIG.methods[shard.method].made_from(RUN, shard)]

    return manifests


def needed(*stages):
    """The resources of a job of stages, besides threads."""
    need = CONFIG.need(*stages)
    return {"gpu": need.gpu, "mem_mb": need.mem_mb, "runtime": need.runtime}


def summary_digest(name):
    """The digest of what the tables, figures or report depend on: their code and the whole configuration."""
    return fingerprint(code(RUN, name), RUN.content())


# The manifests of all shards.
MANIFESTS = [LAYOUT.manifest(stage, shard) for stage in CONFIG.stages for shard in RUN.shards()]

# The meaning of each metric, for the captions in Snakemake's report.
MEANINGS = [f"{metric.heading}: {metric.meaning}" for metric in metrics.of_run(CONFIG)]

# Views are large, and are not needed after scoring.
kept_or_temp = (lambda path: path) if CONFIG.render.keep_views else temp
