"""`jsdpipe accept`: results of older code count as made by today's, because the change moves no number. Torch-free."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from jsdpipe.base.files import read_json, write_json
from jsdpipe.base.provenance import git_commit
from jsdpipe.config.stages import RUN_STAGES
from jsdpipe.pipeline.fingerprints import code, code_in, describe
from jsdpipe.pipeline.layout import Shard, of_run
from jsdpipe.pipeline.run import Run

UNKNOWN = "unknown code"


def accept(run: Annotated[str, typer.Argument(help="a run's folder, or its name", metavar="RUN")]) -> None:
    """Keep a run's results after a change of code or libraries. Do this only if no number changes."""
    opened = Run.load(Path(run) if Path(run).is_dir() else of_run(run))
    found: dict[tuple[str, str, str], list[str]] = {}  # stage, today's code, that of results; of which shards
    for stage, shard, made in _made(opened):
        today = code_in(opened, stage, shard.method if shard else "")
        if code(opened, stage, shard) != made:
            describe(opened.layout, today)
            found.setdefault((stage, today.hash, made), []).append(shard.name if shard else "")
    if not found:
        typer.echo(f"{opened.folder}: nothing to accept")
        return
    methods: dict[tuple[str, str], dict[str, None]] = {}
    for (stage, by, made), names in found.items():
        changed = ", ".join(_differences(opened, made, by))
        methods.setdefault((stage, changed), {}).update(dict.fromkeys(name.partition("/")[0] for name in names))
    for (stage, changed), those in methods.items():
        typer.echo(f"{stage}{' of ' * any(those)}{', '.join(those)}: {changed}")
    accepted = read_json(opened.layout.accepted) if opened.layout.accepted.is_file() else []
    accepted += [
        {"stage": stage, "code": by, "stands_for": made, "shards": names, "commit": git_commit()}
        for (stage, by, made), names in found.items()
    ]
    write_json(opened.layout.accepted, accepted)
    typer.echo(f"{opened.layout.accepted}: accepted; existing results count as made by today's code")


def _made(run: Run) -> Iterator[tuple[str, Shard | None, str]]:
    """Of each existing result, its stage or a part of it, its shard, and the hash of code that it counts as made by.

    Results of versions that did not record the code are left out.
    """
    for stage in run.config.stages:
        for shard in run.shards():
            if (path := run.layout.manifest(stage, shard)).is_file():
                for part, made in read_json(path)["provenance"].get("code", {}).items():
                    yield part, shard, made
    for whole in RUN_STAGES:
        if (path := run.layout.code(whole.name)).is_file():
            yield whole.name, None, read_json(path)["code"][whole.name]


def _differences(run: Run, old: str, new: str) -> list[str]:
    """The modules and libraries that differ between two hashes of code."""
    if not run.layout.code(old).is_file():
        return [UNKNOWN]
    one, other = (read_json(run.layout.code(code)) for code in (old, new))
    changed = {
        kind: sorted(name for name in one[kind] | other[kind] if one[kind].get(name) != other[kind].get(name))
        for kind in ("modules", "libraries")
    }
    versions = ((name, one["libraries"].get(name), other["libraries"].get(name)) for name in changed["libraries"])
    return changed["modules"] + [f"{name} {old_one} -> {new_one}" for name, old_one, new_one in versions]
