"""The effects of a changed configuration on a run's existing results, announced before the run starts. Torch-free.

The configuration in `run.json` is compared with the new one. Snakemake itself detects changed code and files.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from jsdpipe.base.errors import UserError, shown
from jsdpipe.config.stages import SHARD_STAGES, STAGES
from jsdpipe.pipeline.layout import AssetKey
from jsdpipe.pipeline.run import Run

MAKING = ("generate", "mesh", "render")  # each one's result is the next's input
SCORING = tuple(stage.name for stage in SHARD_STAGES if stage.name not in MAKING)
DONE = {
    "generate": "made again and replaced, with their meshes, views and scores",
    "mesh": "given new meshes, views and scores, which replace the old ones",
    "render": "rendered and scored again, which replaces the old views and scores",
    **{stage: f"given new scores of {stage}, which replace the old ones" for stage in SCORING},
}
KEYS = 3  # the most changed keys that are named
ROOM = 24  # the most characters of a value that is shown

Changes = tuple[tuple[str, str], ...]  # (key, its old and new value as text)


def changes(run: Run) -> list[str]:
    """Lines on how many assets in the run's folder are made or scored again, and which changed keys are the cause.

    Empty if there are no assets, or if nothing changes.
    """
    if not os.path.isfile(run.layout.run_json):  # noqa: PTH113, which takes any name
        return []
    try:
        old = Run.load(run.folder)
        dict(old.recipes)  # raises if a recipe is from another version
    except UserError:
        return [f"{run.folder} holds a run of another version; all its results may be made again and replaced"]
    planned = {asset for shard in run.shards() for asset in shard.asset_keys()}
    held = {stage: _held(old, stage) for stage in (*MAKING, *SCORING)}
    total = len(held["generate"])
    again: Counter[tuple[str, Changes]] = Counter()
    for method, part in dict.fromkeys((asset.method, asset.set) for asset in held["generate"] if asset in planned):
        for stage, changed in _first_changed(old, run, method, part):
            again[stage, changed] += sum(
                (asset.method, asset.set) == (method, part) and asset in planned for asset in held[stage]
            )
    lines = [
        f"{_named(changed)} changed: {_count(count, total)} {DONE[stage]}"
        for (stage, changed), count in again.items()
        if count
    ]
    if gone := sum(asset not in planned for asset in held["generate"]):
        lines.append(f"{_count(gone, total)} no longer part of the run, and not deleted")
    return [f"{run.folder} holds {total} asset{'s' * (total > 1)}; {line}" for line in lines]


def _held(run: Run, stage: str) -> list[AssetKey]:
    """The assets that a stage's manifests record."""
    shards = [shard for shard in run.shards() if run.layout.manifest(stage, shard).is_file()]
    return [asset for shard in shards for asset in shard.asset_keys()]


def _first_changed(old: Run, new: Run, method: str, part: str) -> Iterator[tuple[str, Changes]]:
    """The first making stage of a method and set whose settings changed; if there is none, all such scoring stages."""

    def changes_of(stage: str) -> Changes:
        before, after = (STAGES[stage].depends_on(run, method, part) for run in (old, new))
        return tuple(_differences(before, after))

    for stage in MAKING:
        if changed := changes_of(stage):
            yield stage, changed
            return
    for stage in SCORING:
        if stage in old.config.stages and stage in new.config.stages and (changed := changes_of(stage)):
            yield stage, changed


def _differences(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        values = shown(old), shown(new)
        yield key, f" ({values[0]} -> {values[1]})" if max(map(len, values)) <= ROOM else ""


def _named(changed: Changes) -> str:
    names = [f"{key}{values}" for key, values in changed[:KEYS]]
    more = len(changed) - len(names)
    return ", ".join([*names, f"{more} more keys"] if more else names)


def _count(count: int, total: int) -> str:
    are = "is" if count == 1 else "are"
    return f"all {count} {are}" if count == total > 1 else f"{count} of {total} {are}"
