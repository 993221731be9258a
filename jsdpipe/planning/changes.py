"""What a changed configuration does to what a run's folder holds: said before it is done. Torch-free.

Configurations are compared, the one in `run.json` with the new one. Changed code and files, Snakemake sees by itself.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from jsdpipe.base.errors import UserError, shown
from jsdpipe.config.stages import SHARD_STAGES, STAGES
from jsdpipe.pipeline.layout import AssetKey
from jsdpipe.pipeline.run import Run

MAKING = tuple(stage.name for stage in SHARD_STAGES if stage.views != "read")  # each is the source of the next
SCORING = tuple(stage.name for stage in SHARD_STAGES if stage.views == "read")
DONE = {
    "generate": "made again and replaced, with their meshes, views and scores",
    "mesh": "given new meshes, views and scores, which replace the old ones",
    "render": "rendered and scored again, which replaces the old views and scores",
    **{stage: f"given new scores of {stage}, which replace the old ones" for stage in SCORING},
}
KEYS = 3  # of the changed ones that are named
ROOM = 24  # characters of a value that is shown

Changes = tuple[tuple[str, str], ...]  # key, and what it was and is


def changes(run: Run) -> list[str]:
    """Of the assets that lie in the run's folder, which are made or scored again, and because of which keys; lines.

    None if there are no assets, or if nothing changes.
    """
    if not os.path.isfile(run.layout.run_json):  # noqa: PTH113, which takes any name
        return []
    try:
        old = Run.load(run.folder)
        dict(old.recipes)  # which are of another version where one cannot be read
    except UserError:
        return [f"{run.folder} holds a run of another version, of which all may be made again and replaced"]
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
        f"{_named(changed)} changed: {_of(count, total)} {DONE[stage]}"
        for (stage, changed), count in again.items()
        if count
    ]
    if gone := sum(asset not in planned for asset in held["generate"]):
        lines.append(f"{_of(gone, total)} no longer part of the run, and left where they are")
    return [f"{run.folder} holds {total} asset{'s' * (total > 1)}; {line}" for line in lines]


def _held(run: Run, stage: str) -> list[AssetKey]:
    """The assets of which a stage's manifests speak."""
    shards = [shard for shard in run.shards() if run.layout.manifest(stage, shard).is_file()]
    return [asset for shard in shards for asset in shard.asset_keys()]


def _first_changed(old: Run, new: Run, method: str, part: str) -> Iterator[tuple[str, Changes]]:
    """The first stage of a method and set that takes something else than before; of scores, each that does."""

    def changed(stage: str) -> Changes:
        one, other = (STAGES[stage].depends_on(run, method, part) for run in (old, new))
        return tuple(_differences(one, other))

    for stage in MAKING:
        if found := changed(stage):
            yield stage, found
            return
    for stage in SCORING:
        if stage in old.config.stages and stage in new.config.stages and (found := changed(stage)):
            yield stage, found


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


def _of(count: int, total: int) -> str:
    are = "is" if count == 1 else "are"
    return f"all {count} {are}" if count == total > 1 else f"{count} of {total} {are}"
