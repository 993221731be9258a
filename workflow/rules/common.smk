# The run that is planned, and what its rules share.

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
    """End with a user's mistake as one line, not in Snakemake's traceback."""
    try:
        yield
    except UserError as error:
        print(f"jsdpipe: error: {error}", file=sys.stderr)
        sys.exit(2)


# A large plan is millions of objects that stay. Python would look through all of them again and again for garbage.
gc.set_threshold(100_000)

with one_line_errors():
    CONFIG_NAME = ", ".join(os.path.relpath(path) for path in workflow.configfiles)
    if len(workflow.configfiles) > 1:
        raise UserError(
            f"--configfile: {CONFIG_NAME}: a configuration stands alone; give one, and --config for its keys"
        )
    # Snakemake has read the file already, but keeps the last of two equal keys without a word.
    read_yaml(Path(CONFIG_NAME))
    update_config(config, overrides(workflow.config_settings.config_args or []))
    RESOLVED = resolve(config, CONFIG_NAME)
    CONFIG = RESOLVED.config
    RUN = Run.of(RESOLVED, of_run(CONFIG.run))

LAYOUT = RUN.layout
DEPENDENCIES = Dependencies(RUN)


# The commands of this Python's environment, whether it is activated or not.
shell.prefix(f'set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; ')


wildcard_constraints:
    shard=r"[^/]+/[^/]+/[0-9]+",


def stage_digest(stage):
    """Of a shard, what its job takes from the configuration: a job is run again when it changes, and only then.

    If it is the same for all shards, it is a plain value, of which Snakemake makes less than of a function.
    """
    if stage != "generate" and len(found := {DEPENDENCIES.digest(stage, shard) for shard in RUN.shards()}) == 1:
        return found.pop()
    return lambda wildcards: DEPENDENCIES.digest(stage, RUN.shard(wildcards.shard))


def needed(stage):
    """What a stage's job asks of the machine, beside threads."""
    need = CONFIG.need(stage)
    return {"gpu": need.gpu, "mem_mb": need.mem_mb, "runtime": need.runtime}


def summary_digest(name):
    """What the tables, figures or report take: the whole configuration."""
    return fingerprint(code(RUN, name), RUN.content())


# The manifests of all shards.
MANIFESTS = [LAYOUT.manifest(stage, shard) for stage in CONFIG.stages for shard in RUN.shards()]

# What the run's numbers are, for Snakemake's report.
MEANINGS = [f"{metric.heading}: {metric.meaning}" for metric in metrics.of_run(CONFIG)]

# Views are large, and the scores hold what was seen in them.
kept_or_temp = (lambda path: path) if CONFIG.render.keep_views else temp
