"""All manifests of a run as two tidy tables: one row an asset, and one row a prompt and method."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from jsdpipe import metrics
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run

KEY = dict.fromkeys(("method", "set", "prompt_id", "prompt"), "string")
STATE = {"seed": "int64", **dict.fromkeys(("status", "failed_at", "reason", "notes"), "string")}
DETAILS = {
    "reward_mean": "float64",
    **dict.fromkeys(("best_view", "grade"), "Int64"),
    "caption": "string",
    **dict.fromkeys(("vertices", "faces", "components"), "Int64"),
    "watertight": "boolean",
}


@dataclass(frozen=True)
class Results:
    """The numbers of a run, whose rows are in the order of its shards.

    Attributes:
        assets: a row an asset. `method`, `set`, `prompt_id`, `prompt`, `seed` say which; `status` is "ok", "failed", or
            "ungraded" of one that is whole, but that the judge gave no grade; `failed_at` is the first stage that
            failed, and `reason` why; `notes` are what stages have to say of it, missing if there is nothing. Then a
            column a metric (`jsdpipe.metrics`), and `reward_mean` (of the quality views), `best_view` (among them),
            `grade` (1 to 5), `caption`, and of the mesh `vertices`, `faces`, `components`, `watertight`.
        prompts: a row a method and prompt: `method`, `set`, `prompt_id`, `prompt`, and a column a metric of the assets
            of a prompt together. Without such metrics there are no rows.
        similarities: by (method, set, prompt_id), the cosine similarity of every two seeds, NaN of a failed one; none
            of fewer than two.

    A failed asset has the values that metrics have for one: the stages' floors, and 0 as recognition. What is unknown
    or not computed in this run is NaN: recognition where the prompt names no one class, R-precision where the prompt is
    its set's only one, alignment and average of what has no grade.
    """

    assets: pd.DataFrame
    prompts: pd.DataFrame
    similarities: dict[tuple[str, str, str], pd.DataFrame]


def collect(run: Run) -> Results:
    """Read every manifest of the run; `UserError` where one is missing or broken."""
    assets: list[dict[str, Any]] = []
    prompts: list[dict[str, Any]] = []
    similarities: dict[tuple[str, str, str], pd.DataFrame] = {}
    for shard in run.shards():
        of_prompts = read_manifest(run, "diversity", shard) if run.config.diversity else []
        diversity = {record["prompt_id"]: record for record in of_prompts}
        rows = _assets(run, shard, diversity)
        assets += rows
        prompts += _prompts(shard, diversity, rows)
        for prompt_id, record in diversity.items():
            if record["similarities"]:
                similarities[shard.method, shard.set, prompt_id] = _similarities(record)
    of: dict[str, dict[str, str]] = {"asset": {}, "prompt": {}}
    for metric in dict.fromkeys((*metrics.BUILT_IN, *metrics.of_run(run.config))):
        of[metric.per][metric.name] = "float64"
    return Results(
        _frame(assets, {**KEY, **STATE, **of["asset"], **DETAILS}),
        _frame(prompts, {**KEY, **of["prompt"]}),
        similarities,
    )


def _assets(run: Run, shard: Shard, diversity: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    stages = {
        stage: {(record["prompt_id"], record["seed"]): record for record in read_manifest(run, stage, shard)}
        for stage in run.config.stages
        if stage != "diversity"
    }
    rows = []
    for prompt, seed in shard.assets():
        row: dict[str, Any] = {"failed_at": None, "reason": None, "values": {}, "of_prompt": {}}
        notes: list[str] = []
        for stage, records in stages.items():
            record = records[prompt.id, seed]
            row |= {name: value for name, value in record.items() if name not in ("status", "reason")}
            notes += record["notes"]
            if record["status"] == "failed" and row["failed_at"] is None:
                row |= {"failed_at": stage, "reason": record["reason"]}
        row |= row["values"] | {
            "method": shard.method,
            "set": shard.set,
            "notes": " ".join(notes) or None,
            "status": {None: "ok", "alignment": "ungraded"}.get(row["failed_at"], "failed"),
            "average": _average(row.get("quality"), row.get("alignment")),
            "recognition": _recognition(diversity.get(prompt.id), seed),
        }
        rows.append(row)
    return rows


def _prompts(
    shard: Shard, diversity: dict[str, dict[str, Any]], assets: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """A row a prompt of which anything was computed: of its diversity, and by the run's own metrics."""
    own = {asset["prompt_id"]: asset["of_prompt"] for asset in assets}
    for prompt in shard.prompts:
        if of_prompt := diversity.get(prompt.id, {}) | own[prompt.id]:
            key = {"method": shard.method, "set": shard.set, "prompt_id": prompt.id, "prompt": prompt.text}
            yield key | of_prompt


def _average(quality: float | None, alignment: float | None) -> float | None:
    return None if quality is None or alignment is None else (quality + alignment) / 2


def _recognition(record: dict[str, Any] | None, seed: int) -> float | None:
    if record is None or record["recognition"] is None:
        return None
    return 0.0 if seed in record["failed_seeds"] else record["recognition"][str(seed)]


def _similarities(record: dict[str, Any]) -> pd.DataFrame:
    whole = [seed for seed in record["seeds"] if seed not in record["failed_seeds"]]
    return pd.DataFrame(record["similarities"], whole, whole).reindex(index=record["seeds"], columns=record["seeds"])


def _frame(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows).reindex(columns=list(columns)).astype(columns)
