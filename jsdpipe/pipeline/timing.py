"""Run times from Snakemake's benchmark files, which differ between runs with the same inputs."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of jobs of stages by method, the number of timed assets, and a job's peak memory in MB."""

    stages: tuple[str, ...]
    seconds: dict[str, float]
    assets: int
    peak_mb: float | None

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def timings(run: Run) -> list[Timing]:
    """The times of all jobs that have benchmark files; only Snakemake writes them."""
    found = []
    for job in run.config.jobs:
        seconds, assets, peaks = dict.fromkeys(run.config.methods, 0.0), 0, []
        for shard, row in _jobs(run, job[0]):
            seconds[shard.method] += float(row["s"])
            assets += _size(shard)
            # A job shorter than the sampling interval has no memory figure.
            if row["max_rss"] not in ("-", "NA"):
                peaks.append(float(row["max_rss"]))
        if assets:
            found.append(Timing(job, seconds, assets, max(peaks, default=None)))
    return found


def seconds_per_asset(run: Run) -> dict[tuple[str, str, str], float]:
    """By (method, set, prompt_id): wall-clock seconds of the timed job that generated the assets, over their number."""
    return {
        (shard.method, shard.set, prompt.id): float(row["s"]) / _size(shard)
        for shard, row in _jobs(run, "generate")
        if run.config.methods[shard.method].makes_assets
        for prompt in shard.prompts
    }


def _jobs(run: Run, stage: str) -> Iterator[tuple[Shard, dict[str, str]]]:
    """The shards of a stage that have a benchmark file, each with its last line."""
    for shard in run.shards():
        path = run.layout.benchmark(stage, shard)
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as stream:
                yield shard, list(csv.DictReader(stream, delimiter="\t"))[-1]


def _size(shard: Shard) -> int:
    return len(shard.prompts) * len(shard.seeds)
