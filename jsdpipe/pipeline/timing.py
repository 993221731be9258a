"""Run times from Snakemake's benchmark files; separate from other results, because they differ between runs."""

import csv
from dataclasses import dataclass

from jsdpipe.pipeline.run import Run


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of a stage's jobs by method, the number of timed assets, and a job's peak memory in MB."""

    stage: str
    seconds: dict[str, float]
    assets: int
    peak_mb: float | None

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def timings(run: Run) -> list[Timing]:
    """The times of all stages that have benchmark files; only Snakemake writes them."""
    found = []
    for stage in run.config.stages:
        seconds, assets, peaks = dict.fromkeys(run.config.methods, 0.0), 0, []
        for shard in run.shards():
            path = run.layout.benchmark(stage, shard)
            if not path.is_file():
                continue
            with path.open(encoding="utf-8", newline="") as stream:
                row = list(csv.DictReader(stream, delimiter="\t"))[-1]
            seconds[shard.method] += float(row["s"])
            assets += len(shard.prompts) * len(shard.seeds)
            # A job shorter than the sampling interval has no memory figure.
            if row["max_rss"] not in ("-", "NA"):
                peaks.append(float(row["max_rss"]))
        if assets:
            found.append(Timing(stage, seconds, assets, max(peaks, default=None)))
    return found
