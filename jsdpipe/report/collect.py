"""All manifests of a run as two tidy tables: one row per asset, and one row per method and prompt."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from jsdpipe import metrics
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run

KEY = dict.fromkeys(("method", "family", "set", "prompt_id", "prompt"), "string")
STATE = {"seed": "int64", **dict.fromkeys(("status", "failed_at", "reason", "notes"), "string")}
DETAILS = {
    "reward_mean": "float64",
    **dict.fromkeys(("best_view", "grade"), "Int64"),
    "caption": "string",
    **dict.fromkeys(("vertices", "faces", "components"), "Int64"),
    "watertight": "boolean",
    **dict.fromkeys(("steps", "unet_samples"), "Int64"),
}


@dataclass(frozen=True)
class Results:
    """The numbers of a run; rows are in the order of its shards.

    Attributes:
        assets: one row per asset. `method`, `set`, `prompt_id`, `prompt` and `seed` identify it; `family` is the
            method's. `status` is "ok", "failed", or "ungraded" (nothing failed, but the judge gave no grade).
            `failed_at` is the first stage that failed, and `reason` its reason. `notes` are the stages' notes, missing
            if there are none. Then there is one column per metric (`jsdpipe.metrics`), `reward_mean` and `best_view` of
            the quality views, `grade` (1 to 5), `caption`, the mesh's `vertices`, `faces`, `components` and
            `watertight`, and the `steps` and `unet_samples` that the asset took. External methods have no family, steps
            and samples.
        prompts: one row per method and prompt: `method`, `family`, `set`, `prompt_id`, `prompt`, and one column per
            metric over the seeds of a prompt. There are no rows without such metrics.
        similarities: by (method, set, prompt_id), the cosine similarities (seeds, seeds) of every two seeds, NaN for
            failed assets; only for prompts with two or more seeds.

    A failed asset has the value that each metric defines for it, and recognition 0. Values that are unknown or not
    computed in this run are NaN: recognition if the prompt does not name exactly one class, R-precision if the set has
    only one prompt, alignment and average if there is no grade.
    """

    assets: pd.DataFrame
    prompts: pd.DataFrame
    similarities: dict[tuple[str, str, str], pd.DataFrame]


def collect(run: Run) -> Results:
    """Read all manifests of the run; raises `UserError` if one is missing or broken."""
    assets: list[dict[str, Any]] = []
    prompts: list[dict[str, Any]] = []
    similarities: dict[tuple[str, str, str], pd.DataFrame] = {}
    for shard in run.shards():
        of_prompts = read_manifest(run, "diversity", shard) if run.config.diversity else []
        diversity = {record["prompt_id"]: record for record in of_prompts}
        rows = _assets(run, shard, diversity)
        assets += rows
        prompts += _prompts(diversity, rows)
        for prompt_id, record in diversity.items():
            if record["similarities"]:
                similarities[shard.method, shard.set, prompt_id] = _similarities(record)
    columns: dict[str, dict[str, str]] = {"asset": {}, "prompt": {}}
    for metric in dict.fromkeys((*metrics.BUILT_IN, *metrics.of_run(run.config))):
        columns[metric.per][metric.name] = "float64"
    return Results(
        _frame(assets, {**KEY, **STATE, **columns["asset"], **DETAILS}),
        _frame(prompts, {**KEY, **columns["prompt"]}),
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
            "family": run.config.methods[shard.method].family,
            "set": shard.set,
            "notes": " ".join(notes) or None,
            "status": {None: "ok", "alignment": "ungraded"}.get(row["failed_at"], "failed"),
            "average": _average(row.get("quality"), row.get("alignment")),
            "recognition": _recognition(diversity.get(prompt.id), seed),
        }
        rows.append(row)
    return rows


def _prompts(diversity: dict[str, dict[str, Any]], assets: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row per prompt that has values of the diversity stage or of metrics over seeds."""
    of_prompts = {asset["prompt_id"]: asset for asset in assets}
    for prompt_id, asset in of_prompts.items():
        if of_prompt := diversity.get(prompt_id, {}) | asset["of_prompt"]:
            yield {name: asset[name] for name in KEY} | of_prompt


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
