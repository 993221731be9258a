"""Fingerprints: one hash of all that a result depends on, its inputs and the code and libraries that make it.

Torch-free, because the workflow asks while it plans.
"""

import hashlib
import json
from typing import Any

from jsdpipe.base.files import write_json
from jsdpipe.config.stages import STAGES, WITHIN
from jsdpipe.pipeline.code_closure import Code, closure
from jsdpipe.pipeline.layout import Layout, Shard
from jsdpipe.pipeline.run import Run

_PARTS = STAGES | {part.name: part for parts in WITHIN.values() for part in parts}


def code_in(run: Run, stage: str, method: str = "") -> Code:
    """The code of a stage, or of a part of its results, for a method of a run."""
    part = _PARTS[stage]
    return closure(part.function_for(run, method), *part.uses(run, method))


def code(run: Run, stage: str, shard: Shard | None = None) -> str:
    """The code hash that counts for a stage's results: the current one, or the older one for which it was accepted."""
    return counted(run, stage, shard, code_in(run, stage, shard.method if shard else "").hash)


def counted(run: Run, stage: str, shard: Shard | None, today: str) -> str:
    """The code hash that counts in place of the current one, `today`, for a stage's results."""
    return run.accepted.get((stage, shard.name if shard else ""), {}).get(today, today)


def fingerprint(code: str, *parts: Any) -> str:
    """Hex SHA-256 of a code hash and of `parts`, which are JSON values."""
    return hashlib.sha256(json.dumps([code, parts], sort_keys=True).encode()).hexdigest()


def made_by(run: Run, stage: str, shard: Shard | None = None) -> dict[str, dict[str, str]]:
    """The code hashes in a result's provenance, by part of the stage: those that count, and current ones that differ.

    The modules behind the current hashes are written to the run's folder.
    """
    hashes: dict[str, dict[str, str]] = {"code": {}}
    for part in (stage, *(part.name for part in WITHIN.get(stage, ()))):
        today, counts = code_in(run, part, shard.method if shard else ""), code(run, part, shard)
        describe(run.layout, today)
        hashes["code"][part] = counts
        if counts != today.hash:
            hashes.setdefault("accepted", {})[part] = today.hash
    return hashes


def describe(layout: Layout, code: Code) -> None:
    """Write the modules and libraries behind a code hash to a run's folder."""
    path = layout.code(code.hash)
    if not path.is_file():
        write_json(path, {"modules": code.modules, "libraries": code.libraries})
