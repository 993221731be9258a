"""The tidy tables: what each asset's and prompt's row holds, failures included."""

import pandas as pd
import pytest
from synthetic_run import make_run

from jsdpipe.base.errors import UserError
from jsdpipe.pipeline.run import Run
from jsdpipe.report.collect import collect

FAILURE = {"reason": "empty field", "failed_at": "mesh", "quality": 5.0, "alignment": 0.0}


def numbers(method: str, part: str, prompt: str, seed: int) -> dict:
    if (method, prompt, seed) == ("sds", "a cone", 1):
        return FAILURE
    return {"quality": 60.0 + seed, "alignment": 25.0, "recognition": 0.25 if prompt == "a cone" else None}


@pytest.fixture
def run(tmp_path) -> Run:
    return make_run(tmp_path / "run", {"single": ["a cone", "two things"], "multi": ["a ball"]}, numbers=numbers)


def test_a_row_an_asset(run):
    assets = collect(run).assets
    assert [*assets.columns] == [
        "method", "family", "set", "prompt_id", "prompt", "seed", "status", "failed_at", "reason", "notes", "quality",
        "alignment", "average", "similarity", "r_precision", "recognition", "chamfer", "color_error", "silhouette",
        "parts", "f_score", "colored_f_score", "reward_mean", "best_view", "grade", "caption", "vertices", "faces",
        "components", "watertight", "steps", "unet_samples",
    ]  # fmt: skip
    assert len(assets) == 2 * 3 * 2
    row = assets[(assets.method == "jsd") & (assets.prompt == "a cone") & (assets.seed == 1)].iloc[0]
    assert (row.quality, row.alignment, row.average, row.recognition) == (61, 25, 43, 0.25)
    assert (row["set"], row.status, row.grade, row.caption, row.best_view) == ("single", "ok", 2, "a thing", 3)
    assert (row.vertices, row.faces, row.components, row.watertight) == (120, 236, 1, True)
    assert (row.family, row.steps, row.unet_samples) == ("controlled", 100, 400)
    assert pd.isna(row.reason) and pd.isna(row.failed_at)


def test_a_failed_asset_keeps_its_floors_and_first_reason(run):
    assets = collect(run).assets
    row = assets[assets.status == "failed"].iloc[0]
    assert (row.method, row.prompt, row.seed) == ("sds", "a cone", 1)
    assert (row.failed_at, row.reason) == ("mesh", "empty field")
    assert (row.quality, row.alignment, row.average, row.recognition) == (5, 0, 2.5, 0)
    assert pd.isna(row.vertices)
    assert (assets.status == "failed").sum() == 1


def test_the_notes_of_all_stages_are_one_text(tmp_path):
    of_asset = {"mesh": ["No paint.", "No gloss."], "render": ["All black."]}
    run = make_run(
        tmp_path / "run", {"s": ["a"]}, methods=["jsd"], numbers=lambda *key: {"notes": of_asset if key[3] else {}}
    )
    assets = collect(run).assets
    assert assets.notes[1] == "No paint. No gloss. All black." and pd.isna(assets.notes[0])
    assert (assets.status == "ok").all() and assets.reason.isna().all()


def test_recognition_is_unknown_where_the_prompt_names_no_one_class(run):
    assets = collect(run).assets
    assert assets[assets.prompt == "two things"].recognition.isna().all()
    assert assets[assets.prompt == "a cone"].recognition.notna().all()


def test_a_row_a_prompt_and_method(run):
    prompts = collect(run).prompts
    assert [*prompts.columns] == ["method", "family", "set", "prompt_id", "prompt", "iq", "iv", "iv_per_view", "cosine"]
    assert len(prompts) == 2 * 3
    known = prompts.set_index(["method", "prompt"])
    names = ["iq", "iv", "iv_per_view", "cosine"]
    assert known.loc[("jsd", "a cone"), names].tolist() == [0.5, 0.7, 0.6, 0.9]
    assert known.loc[("sds", "a cone"), names].isna().all()  # one asset is left


def test_similarities_leave_a_failed_seed_blank(tmp_path):
    run = make_run(tmp_path / "run", {"single": ["a cone"]}, seeds=[3, 1, 7], numbers=numbers)
    jsd, sds = collect(run).similarities.values()
    assert jsd.to_numpy().tolist() == [[1, 0.9, 0.9], [0.9, 1, 0.9], [0.9, 0.9, 1]]
    assert list(sds.index) == list(sds.columns) == [3, 1, 7]
    assert sds.loc[[3, 7], [3, 7]].to_numpy().tolist() == [[1, 0.9], [0.9, 1]]
    assert sds[1].isna().all() and sds.loc[1].isna().all()


def test_one_asset_is_like_no_other(run):
    prompt = run.prompts["single"][0]
    assert ("jsd", "single", prompt.id) in collect(run).similarities
    assert ("sds", "single", prompt.id) not in collect(run).similarities


def test_a_missing_manifest_is_the_users_to_mend(run):
    run.layout.manifest("alignment", run.shards()[1]).unlink()
    with pytest.raises(UserError, match=r"alignment.*multi/000"):
        collect(run)
