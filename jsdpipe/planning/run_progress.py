"""Progress of a whole run: the time that is left, estimated from the times of each stage's jobs. Torch-free.

Snakemake only counts jobs, but one stage's jobs may take a thousand times as long as another's.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from snakemake_interface_logger_plugins.common import LogEvent

from jsdpipe.base.progress import LOG_EVERY_S, duration
from jsdpipe.config.stages import SHARD_STAGES
from jsdpipe.pipeline.run import Run
from jsdpipe.pipeline.timing import timings


def seconds_a_job(run: Run) -> dict[str, float]:
    """The mean seconds of a job by rule, from the run's benchmark files; rules without such files are left out."""
    size = sum(len(list(shard.assets())) for shard in run.shards()) / len(run.shards())
    return {timing.stages[0]: timing.total / timing.assets * size for timing in timings(run)}


class Estimate:
    """An estimate of the time that is left, from the jobs that have ended.

    Args:
        jobs: the number of jobs by rule.
        before: mean seconds of a job by rule in an earlier run, used until a job of the rule has ended.
        began: when the run began, in seconds of a clock.
    """

    def __init__(self, jobs: Mapping[str, int], before: Mapping[str, float], began: float) -> None:
        self._left, self._total, self._before, self._began = Counter(jobs), sum(jobs.values()), before, began
        self._running: dict[int, tuple[str, float]] = {}
        self._took: dict[str, list[float]] = defaultdict(list)

    def start(self, job: int, rule: str, now: float) -> None:
        self._running[job] = rule, now

    def fail(self, job: int) -> None:
        """Record a failed job, which may be tried again."""
        self._running.pop(job, None)

    def end(self, job: int, now: float) -> None:
        if job in self._running:
            rule, started = self._running.pop(job)
            self._left[rule] -= 1
            self._took[rule].append(now - started)

    @property
    def done(self) -> bool:
        return not self._left.total()

    def line(self, now: float) -> str:
        """E.g. "run: 120/9005 jobs, 3 h 20 min, about 2 days 4 h left"."""
        count = f"run: {self._total - self._left.total()}/{self._total} jobs, {duration(now - self._began)}"
        if self.done:
            return count
        # Only stages of shards can make the estimate unknown; those of the run are short.
        means = {rule: mean for rule in self._left if (mean := self._mean(rule)) is not None}
        unknown = [stage.name for stage in SHARD_STAGES if self._left[stage.name] and stage.name not in means]
        work = sum(count * means.get(rule, 0.0) for rule, count in self._left.items())
        work -= sum(min(now - started, means.get(rule, 0.0)) for rule, started in self._running.values())
        # `busy` / elapsed time: the mean number of parallel jobs so far; jobs in a cluster's queue count as running
        busy = sum(map(sum, self._took.values())) + sum(now - started for _, started in self._running.values())
        left = work / busy * (now - self._began) if busy else 0.0
        if unknown:  # so `left` is a lower bound
            least = f", more than {duration(left)} left" if left >= 60 else ""
            return f"{count}{least} (no job of {', '.join(unknown)} has ended yet)"
        return f"{count}, about {duration(left)} left" if left >= 60 else f"{count}, less than a minute left"

    def _mean(self, rule: str) -> float | None:
        took = self._took[rule]
        return sum(took) / len(took) if took else self._before.get(rule)


class RunProgress(logging.Handler):
    """A handler of Snakemake's log that reports an estimate from time to time by `say(line)`."""

    def __init__(
        self,
        jobs: Mapping[str, int],
        before: Mapping[str, float],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._say, self._clock, self._last = say, clock, clock()
        self._estimate = Estimate(jobs, before, self._last)

    def emit(self, record: logging.LogRecord) -> None:
        event, now = getattr(record, "event", None), self._clock()
        if event == LogEvent.JOB_INFO:
            self._estimate.start(record.__dict__["jobid"], record.__dict__["rule_name"], now)
        elif event == LogEvent.JOB_ERROR:
            self._estimate.fail(record.__dict__["jobid"])
        elif event == LogEvent.JOB_FINISHED:
            self._estimate.end(record.__dict__["job_id"], now)
        elif event == LogEvent.PROGRESS and (now - self._last >= LOG_EVERY_S or self._estimate.done):
            self._last = now
            self._say(self._estimate.line(now))
