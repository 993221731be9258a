"""What a result depends on, as one hash: its inputs, and the code and libraries that make it.

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
    """The code of a stage, or of what it keeps within its results, for a method of a run."""
    of = _PARTS[stage]
    return closure(of.function_for(run, method), *of.uses(run, method))


def code(run: Run, stage: str, shard: Shard | None = None) -> str:
    """The hash of the code that a stage's results of a shard count as made by: today's, or one that this stands for."""
    today = code_in(run, stage, shard.method if shard else "").hash
    return run.accepted.get((stage, shard.name if shard else ""), {}).get(today, today)


def fingerprint(code: str, *parts: Any) -> str:
    """Hex SHA-256 of code, by its hash, and `parts`: values that JSON can hold."""
    return hashlib.sha256(json.dumps([code, parts], sort_keys=True).encode()).hexdigest()


def made_by(run: Run, stage: str, shard: Shard | None = None) -> dict[str, dict[str, str]]:
    """What a result says of its code: by part of the stage the hash that counts, and today's where it is another.

    The run's folder then holds what is behind today's hashes.
    """
    found: dict[str, dict[str, str]] = {"code": {}}
    for part in (stage, *(part.name for part in WITHIN.get(stage, ()))):
        today, counts = code_in(run, part, shard.method if shard else ""), code(run, part, shard)
        describe(run.layout, today)
        found["code"][part] = counts
        if counts != today.hash:
            found.setdefault("accepted", {})[part] = today.hash
    return found


def describe(layout: Layout, code: Code) -> None:
    """Keep what is behind a hash of code in a run's folder."""
    path = layout.code(code.hash)
    if not path.is_file():
        write_json(path, {"modules": code.modules, "libraries": code.libraries})
