"""All manifests of a run as two tidy tables: one row an asset, and one row a prompt and method."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run

ASSETS = {
    **dict.fromkeys(("method", "set", "prompt_id", "prompt"), "string"),
    "seed": "int64",
    **dict.fromkeys(("status", "failed_at", "reason", "notes"), "string"),
    **dict.fromkeys(("quality", "alignment", "average"), "float64"),
    **dict.fromkeys(("similarity", "r_precision", "recognition", "reward_mean"), "float64"),
    **dict.fromkeys(("best_view", "grade"), "Int64"),
    "caption": "string",
    **dict.fromkeys(("vertices", "faces", "components"), "Int64"),
    "watertight": "boolean",
}
PROMPTS = {
    **dict.fromkeys(("method", "set", "prompt_id", "prompt"), "string"),
    **dict.fromkeys(("iq", "iv", "iv_per_view", "cosine"), "float64"),
}


@dataclass(frozen=True)
class Results:
    """`assets`: columns ASSETS, a row an asset; `prompts`: columns PROMPTS, a row a method and prompt.

    Rows are in the order of the run's shards. The scores of a failed asset are the stages' floors, its recognition is 0
    (nothing of it can be recognised); recognition is NaN where the prompt names no one class. An asset that is whole,
    but that the judge gave no grade, has the status "ungraded", and NaN as alignment and average. Similarity and
    R-precision are NaN in a run without a model for them, R-precision also where the prompt is its set's only one. All
    of what a run does not score is NaN, and without diversity there are no `prompts`. The notes of all stages on an
    asset are one text, missing if there are none.
    `similarities`: by (method, set, prompt_id), that of every two seeds, NaN of a failed one; none of fewer than two.
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
        assets += _assets(run, shard, diversity)
        prompts += [{**record, "method": shard.method, "set": shard.set} for record in diversity.values()]
        for prompt_id, record in diversity.items():
            if record["similarities"]:
                similarities[shard.method, shard.set, prompt_id] = _similarities(record)
    return Results(_frame(assets, ASSETS), _frame(prompts, PROMPTS), similarities)


def _assets(run: Run, shard: Shard, diversity: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    stages = {
        stage: {(record["prompt_id"], record["seed"]): record for record in read_manifest(run, stage, shard)}
        for stage in run.config.stages
        if stage != "diversity"
    }
    rows = []
    for prompt, seed in shard.assets():
        row: dict[str, Any] = {"failed_at": None, "reason": None}
        notes: list[str] = []
        for stage, records in stages.items():
            record = records[prompt.id, seed]
            row |= {name: value for name, value in record.items() if name not in ("status", "reason")}
            notes += record["notes"]
            if record["status"] == "failed" and row["failed_at"] is None:
                row |= {"failed_at": stage, "reason": record["reason"]}
        row |= {
            "method": shard.method,
            "set": shard.set,
            "notes": " ".join(notes) or None,
            "status": {None: "ok", "alignment": "ungraded"}.get(row["failed_at"], "failed"),
            "average": _average(row.get("quality"), row.get("alignment")),
            "recognition": _recognition(diversity.get(prompt.id), seed),
        }
        rows.append(row)
    return rows


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
