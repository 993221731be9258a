"""What is left of a whole run, worked out by hand."""

import logging
from types import SimpleNamespace

import pytest
import tiny
from snakemake_interface_logger_plugins.common import LogEvent

from jsdpipe.base.files import write_text
from jsdpipe.base.progress import LOG_EVERY_S, duration
from jsdpipe.config.run_config import resolve
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.run_progress import Estimate, RunProgress, seconds_a_job

HOUR = 3600.0


def test_stages_weigh_what_their_jobs_take():
    """Two jobs of 10 h side by side, then one of 1 h: of 2 + 3 jobs, 20 + 3 h of work are left, by two lanes."""
    of = Estimate({"generate": 4, "mesh": 4, "report": 1}, {}, 0.0)
    for job in (1, 2):
        of.start(job, "generate", 0.0)
    for job in (1, 2):
        of.end(job, 10 * HOUR)
    line = of.line(10 * HOUR)
    assert line.startswith("run: 2/9 jobs, 10 h 0 min, more than 10 h 0 min left") and "mesh" in line
    for job in (3, 4):
        of.start(job, "mesh", 10 * HOUR)
    of.end(3, 11 * HOUR)
    of.end(4, 11 * HOUR)
    assert of.line(11 * HOUR) == "run: 4/9 jobs, 11 h 0 min, about 11 h 0 min left"


def test_running_jobs_count_for_what_they_have_done_and_no_more():
    """One lane: 10 h a job; of three left, one has run for 4 h, so 26 h; when it has run for 15 h, 20 h."""
    of = Estimate({"generate": 4}, {}, 0.0)
    of.start(1, "generate", 0.0)
    of.end(1, 10 * HOUR)
    of.start(2, "generate", 10 * HOUR)
    assert of.line(14 * HOUR) == "run: 1/4 jobs, 14 h 0 min, about 1 day 2 h left"
    assert of.line(25 * HOUR) == "run: 1/4 jobs, 1 day 1 h, about 20 h 0 min left"


def test_an_earlier_run_tells_how_long_a_stage_takes():
    """A mesh of 1 h has ended, and three of ten hours are to be generated, one after the other."""
    of = Estimate({"mesh": 1, "generate": 3}, {"generate": 10 * HOUR}, 0.0)
    of.start(1, "mesh", 0.0)
    of.end(1, HOUR)
    assert of.line(HOUR) == "run: 1/4 jobs, 1 h 0 min, about 1 day 6 h left"


def test_a_job_that_failed_is_still_to_be_done():
    of = Estimate({"generate": 2}, {}, 0.0)
    of.start(1, "generate", 0.0)
    of.fail(1)
    of.end(1, HOUR)  # nothing runs under that number
    of.start(1, "generate", HOUR)
    of.end(1, 2 * HOUR)
    # one hour of work in two: half a lane
    assert of.line(2 * HOUR) == "run: 1/2 jobs, 2 h 0 min, about 2 h 0 min left"


def test_what_is_left_is_said_now_and_then_and_at_the_end():
    now, said = SimpleNamespace(s=0.0), []
    handler = RunProgress({"generate": 30}, {}, said.append, lambda: now.s)
    logger = logging.Logger("snakemake")
    logger.addHandler(handler)
    for job in range(30):
        logger.info(None, extra={"event": LogEvent.JOB_INFO, "jobid": job, "rule_name": "generate"})
        now.s += LOG_EVERY_S / 2
        logger.info("anything")
        logger.info(None, extra={"event": LogEvent.JOB_FINISHED, "job_id": job})
        logger.info(None, extra={"event": LogEvent.PROGRESS, "done": job, "total": 30})
    assert [line.split()[1] for line in said] == [f"{done}/30" for done in range(2, 31, 2)]
    assert said[0] == f"run: 2/30 jobs, {duration(LOG_EVERY_S)}, about {duration(14 * LOG_EVERY_S)} left"
    assert said[-1] == "run: 30/30 jobs, 5 min 0 s"


def test_how_long_jobs_took_before(tmp_path):
    """Shards of 2 and 1 prompts, in 30 and 12 s: 14 s a prompt, and a shard has 1.5 on average."""
    config = tiny.config(tmp_path, "a red ball\na green ball\na blue ball\n") | {"seeds": [0]}
    del config["methods"]["sds"]
    run = Run.of(resolve(config), tmp_path / "run")
    assert seconds_a_job(run) == {}
    for shard, seconds in zip(run.shards(), (30.0, 12.0), strict=True):
        write_text(run.layout.benchmark("mesh", shard), f"s\tmax_rss\n{seconds}\t-\n")
    assert seconds_a_job(run) == {"mesh": pytest.approx(21.0)}
