"""Manifests: a stage's records of all assets of a shard, failures included."""

from collections.abc import Iterable, Sequence
from typing import Any

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json, write_json
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.stages import STAGES
from jsdpipe.pipeline.fingerprints import made_by
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run

Record = dict[str, Any]


def asset_record(
    prompt: Prompt, seed: int, reason: str | None = None, notes: Sequence[str] = (), **numbers: Any
) -> Record:
    """The record of one asset; a `reason` marks it as failed, and `notes` are sentences for the reader."""
    return {
        "prompt_id": prompt.id,
        "prompt": prompt.text,
        "seed": seed,
        "status": "ok" if reason is None else "failed",
        "reason": reason,
        "notes": list(notes),
        **numbers,
    }


def write_manifest(run: Run, stage: str, shard: Shard, records: list[Record], provenance: dict[str, Any]) -> None:
    """Write a shard's manifest, with code hashes added to the provenance.

    There must be one record per asset of the shard (diversity: per prompt), in order.
    """
    if (found := _keys(records)) != (expected := _expected(stage, shard)):
        raise ValueError(f"{stage} {shard.name}: records {found}, expected {expected}")
    write_json(
        run.layout.manifest(stage, shard),
        {
            "stage": stage,
            "method": shard.method,
            "set": shard.set,
            "shard": shard.index,
            "records": records,
            "provenance": provenance | made_by(run, stage, shard),
        },
    )


def read_manifest(run: Run, stage: str, shard: Shard) -> list[Record]:
    """A shard's records, in the order of `shard.assets()` (diversity: of its prompts).

    Raises `UserError` if the stage has not been run, or was run for other prompts or seeds.
    """
    check_there(run, (stage,), shard)
    path = run.layout.manifest(stage, shard)
    records: list[Record] = read_json(path)["records"]
    if _keys(records) != _expected(stage, shard):
        raise UserError(
            f"{path}: prompts or seeds differ from {run.layout.run_json}; rerun {_command(run, stage, shard)}"
        )
    return records


def check_there(run: Run, stages: Iterable[str], *shards: Shard) -> None:
    """Raise `UserError` for the first of these stages' manifests that is missing."""
    for shard in shards:
        for stage in stages:
            if not (path := run.layout.manifest(stage, shard)).is_file():
                raise UserError(f"{path}: no such file; write it with {_command(run, stage, shard)}")


def _command(run: Run, stage: str, shard: Shard) -> str:
    return f"`jsdpipe stage {stage} --run {run.folder} --shard {shard.name}`"


def _keys(records: list[Record]) -> list[tuple[str, int | None]]:
    return [(record["prompt_id"], record.get("seed")) for record in records]


def _expected(stage: str, shard: Shard) -> list[tuple[str, int | None]]:
    if STAGES[stage].of_prompts:
        return [(prompt.id, None) for prompt in shard.prompts]
    return [(prompt.id, seed) for prompt, seed in shard.assets()]
