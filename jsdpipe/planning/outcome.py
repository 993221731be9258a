"""The outcome of a run: which assets failed, and at which stage. Torch-free."""

from collections import Counter

from jsdpipe.base.errors import UserError
from jsdpipe.config.stages import SHARD_STAGES
from jsdpipe.pipeline.layout import AssetKey, Shard
from jsdpipe.pipeline.manifests import Record, read_manifest
from jsdpipe.pipeline.run import Run

OF_ASSETS = tuple(stage.name for stage in SHARD_STAGES if not stage.of_prompts)
LINES = 20  # the most failed assets that are listed


def failures(run: Run, place: object) -> list[str]:
    """Lines on how many of the assets in the run's manifests failed, by stage, and on the reason of each.

    Only the first `LINES` are listed, then a pointer to `place`. Assets without a grade from the judge count as failed
    at `alignment`.
    """
    assets: set[AssetKey] = set()
    failed: dict[AssetKey, tuple[str, str]] = {}
    for stage in OF_ASSETS:
        for shard in run.shards():
            for record in _records(run, stage, shard):
                asset = shard.key(record["prompt_id"], record["seed"])
                assets.add(asset)
                if record["reason"] is not None:
                    failed.setdefault(asset, (stage, record["reason"]))  # later stages repeat the reason
    if not assets:
        return []
    if not failed:
        return [f"none of {len(assets)} assets failed"]
    counts = Counter(stage for stage, _ in failed.values())
    by_stage = ", ".join(f"{counts[stage]} at {stage}" for stage in OF_ASSETS if counts[stage])
    lines = [f"  {stage} {asset}: {reason}" for asset, (stage, reason) in failed.items()]
    more = [f"  and {len(lines) - LINES} more, see {place}"] if len(lines) > LINES else []
    return [f"{len(failed)} of {len(assets)} assets failed: {by_stage}", *lines[:LINES], *more]


def _records(run: Run, stage: str, shard: Shard) -> list[Record]:
    try:
        return read_manifest(run, stage, shard)
    except UserError:  # missing, or of other prompts or seeds
        return []
