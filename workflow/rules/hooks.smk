# What is done and said at the start, during and at the end of a run.

from collections import Counter

from jsdpipe.planning.changes import changes
from jsdpipe.base.errors import warn
from jsdpipe.planning.preflight import lacking
from jsdpipe.planning.unfamiliar_prompts import check_prompts, warn_of_unfamiliar_in
from jsdpipe.planning.outcome import failures
from jsdpipe.config.plausibility import warnings
from jsdpipe.planning.run_progress import RunProgress, seconds_a_job
from jsdpipe.base.validation import at
from snakemake.logging import logger
from snakemake.settings.types import Quietness


def say_progress(line):
    """As Snakemake's own lines of progress, `--quiet progress` among it."""
    logger.info(line, extra={"quietness": Quietness.PROGRESS})


def print_failures(place):
    """The failed assets of the run, and `place`, where the rest of many are."""
    for line in failures(RUN, place):
        print(line)


onstart:
    jobs = Counter(job.rule.name for job in workflow.dag.needrun_jobs())
    with one_line_errors():
        with at(CONFIG_NAME):
            check_prompts(RUN)
        missing = lacking(RUN, CONFIG_NAME, jobs)
        if missing and not workflow.non_local_exec:
            raise UserError("; ".join(missing))
        warn(*warnings(CONFIG, RUN.recipes))
        warn_of_unfamiliar_in(RUN)
        for line in [*missing, *changes(RUN)]:  # on a cluster's nodes there may be what is missing here
            logger.warning(line)
        # Not by a rule: every job reads run.json, and takes a part from it. As an input, each change of the configuration
        # would run everything again; as an ancient() one, Snakemake 9.27 would run nothing again but what writes it,
        # because it doesn't look at the other triggers (params) of jobs that depend on one that runs. So each rule states
        # as `digest` what it takes.
        RUN.save()
    logger.addHandler(RunProgress(jobs, seconds_a_job(RUN), say_progress))


onsuccess:
    print_failures(LAYOUT.tables / "failures.md")
    print(f"The report: {(LAYOUT.report / 'index.html').resolve()}")


onerror:
    print_failures(f"the manifests in {LAYOUT.folder}")
    print(f"{LAYOUT.folder} is not finished: see {', '.join(log)}; the same command goes on from here")
