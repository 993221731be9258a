"""What a result depends on, as one hash: its inputs, and the code and libraries that make it.

Torch-free, because the workflow asks while it plans.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from jsdpipe import models
from jsdpipe.base.files import write_json
from jsdpipe.config.external import External
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.pipeline.code_closure import Code, closure
from jsdpipe.pipeline.layout import Layout, Shard
from jsdpipe.pipeline.run import Run
from jsdpipe.render.renderers import RENDERERS
from jsdpipe.study.settings import settings

# of each stage, what runs it; a stage may keep a part of its work by a fingerprint of its own
ENTRIES = {
    "generate": "jsdpipe.generation.stage:generate",
    "mesh": "jsdpipe.mesh.stage:extract",
    "render": "jsdpipe.render.stage:render",
    "quality": "jsdpipe.scoring.quality:score",
    "alignment": "jsdpipe.scoring.alignment:score",
    "captions": "jsdpipe.scoring.captions:caption_assets",
    "diversity": "jsdpipe.scoring.diversity:score",
    "tables": "jsdpipe.report.tables:write",
    "figures": "jsdpipe.report.figures:write",
    "study": "jsdpipe.study.stage:write",
    "report": "jsdpipe.report.html:write",
}
COLLECT = "jsdpipe.generation.external:collect"  # the stage `generate` of an external method
PARTS = {"alignment": ("alignment", "captions")}  # what has a fingerprint of its own, of stages that have several


def code_of(stage: str, uses: Iterable[str] = ()) -> Code:
    """The code of a stage that uses these entries of registries, each a "module:name" or "file.py:name"."""
    return closure(ENTRIES[stage], *uses)


def code_in(run: Run, stage: str, method: str = "") -> Code:
    """The code of a stage for a method of a run."""
    if stage == "generate" and isinstance(run.config.methods[method], External):
        return closure(COLLECT)
    return code_of(stage, _uses(run, stage, method))


def _uses(run: Run, stage: str, method: str) -> Iterable[str]:
    config = run.config
    match stage:
        case "generate":
            return [OBJECTIVES[run.recipes[method].objective.kind]]
        case "render":
            return [RENDERERS[config.render.renderer]]
        case "captions" if config.alignment:
            return [models.adapter(config.alignment.captioner)]
        case "study":
            return [OBJECTIVES[of.kind] for of in settings("exact", 1)]
    return models.adapters(config, stage)


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
    for part in PARTS.get(stage, (stage,)):
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
