# Checks and messages at the start, during and at the end of a run.

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
    """Log a line as Snakemake's own progress lines, so that `--quiet progress` hides it."""
    logger.info(line, extra={"quietness": Quietness.PROGRESS})


def print_failures(place):
    """Print the failed assets of the run; if there are many, point to `place` for the rest."""
    for line in failures(RUN, place):
        print(line)


onstart:
    jobs = Counter(job.rule.name for job in workflow.dag.needrun_jobs())
    with one_line_errors():
        with at(CONFIG_NAME):
            check_prompts(RUN)
        stages = {*jobs}.union(*(job for job in CONFIG.jobs if job[0] in jobs))
        missing = lacking(RUN, CONFIG_NAME, stages)
        if missing and not workflow.non_local_exec:
            raise UserError("; ".join(missing))
        warn(*warnings(CONFIG, RUN.recipes))
        warn_of_unfamiliar_in(RUN)
        for line in [*missing, *changes(RUN)]:  # a cluster's nodes may have what is missing here
            logger.warning(line)
        # No rule writes run.json, because every job reads a part of it. As an input of all rules, any change of the
        # configuration would rerun everything. As an ancient() input, Snakemake 9.27 would rerun only the rule that writes
        # it, because it ignores the other triggers (params) of jobs that depend on a running one. So each rule has the
        # parameter `digest`, which covers what its jobs read.
        RUN.save()
    logger.addHandler(RunProgress(jobs, seconds_a_job(RUN), say_progress))


onsuccess:
    print_failures(LAYOUT.tables / "failures.md")
    print(f"The report: {(LAYOUT.report / 'index.html').resolve()}")


onerror:
    print_failures(f"the manifests in {LAYOUT.folder}")
    print(f"{LAYOUT.folder} is not finished: see {', '.join(log)}; run the same command again to continue")
