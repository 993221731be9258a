"""Means and differences worked out by hand."""

import pytest
from synthetic_run import make_run

from jsdpipe.report.collect import collect
from jsdpipe.report.summary import compare, per_prompt, summarise

QUALITY = {  # method, prompt: one value a seed
    ("jsd", "a"): (60.0, 70.0),  # 65
    ("jsd", "b"): (50.0, 60.0),  # 55
    ("jsd", "c"): (30.0, 40.0),  # 35
    ("sds", "a"): (40.0, 50.0),  # 45
    ("sds", "b"): (5.0, 45.0),  # 25: the first failed
    ("sds", "c"): (30.0, 40.0),  # 35
}


def numbers(method: str, part: str, prompt: str, seed: int) -> dict:
    failed = (method, prompt, seed) == ("sds", "b", 0)
    values = {"quality": QUALITY[method, prompt][seed], "alignment": 0.0 if failed else 100.0}
    return values | ({"reason": "empty", "failed_at": "mesh"} if failed else {})


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", {"x": ["a", "b"], "y": ["c"]}, numbers=numbers)


def rows(frame, **wanted):
    for name, value in wanted.items():
        frame = frame[frame[name] == value]
    return frame


def test_means_are_over_prompts_with_seeds_averaged_first(run):
    summary = summarise(run, per_prompt(run, collect(run)))
    expected = {
        ("x", "jsd"): (60, 2),
        ("x", "sds"): (35, 2),
        ("y", "jsd"): (35, 1),
        ("y", "sds"): (35, 1),
        ("all sets", "jsd"): (155 / 3, 3),
        ("all sets", "sds"): (35, 3),
    }
    for (part, method), (mean, prompts) in expected.items():
        row = rows(summary, set=part, method=method, metric="quality").iloc[0]
        assert (row["mean"], row["prompts"]) == (pytest.approx(mean), prompts)
    assert summary[["low", "high"]].isna().all(axis=None)


def test_average_counts_the_failed_asset(run):
    summary = summarise(run, per_prompt(run, collect(run)))
    # Prompt a: (45 + 100) / 2; prompt b: ((5 + 0) / 2 + (45 + 100) / 2) / 2.
    assert rows(summary, set="x", method="sds", metric="average")["mean"].item() == pytest.approx((72.5 + 37.5) / 2)


def test_diversity_leaves_out_prompts_without_it(run):
    summary = summarise(run, per_prompt(run, collect(run)))
    assert rows(summary, set="x", metric="iq")["prompts"].tolist() == [2, 1]


def test_one_set_has_no_second_row_for_all(tmp_path):
    run = make_run(tmp_path / "run", {"x": ["a", "b"]})
    assert set(summarise(run, per_prompt(run, collect(run)))["set"]) == {"x"}


def test_comparison_is_over_the_same_prompts(run):
    comparison = compare(run, per_prompt(run, collect(run)))
    row = rows(comparison, set="all sets", metric="quality").iloc[0]
    # Differences 20, 30, 0.
    assert (row["a"], row["b"], row["prompts"]) == ("jsd", "sds", 3)
    assert row["difference"] == pytest.approx(50 / 3)
    assert comparison[["low", "high", "p_value"]].isna().all(axis=None)
    assert rows(comparison, set="x", metric="iq")["prompts"].item() == 1  # of b, sds has no diversity


def test_six_prompts_have_an_interval_and_a_p(tmp_path):
    """In all sets together, where no set has six."""
    qualities = dict(zip("abcdef", (10.0, 20.0, 30.0, 40.0, 50.0, 60.0), strict=True))
    run = make_run(
        tmp_path / "run", {"x": ["a", "b", "c"], "y": ["d", "e", "f"]},
        numbers=lambda method, part, prompt, seed: {"quality": qualities[prompt] - (method == "sds")},
    )  # fmt: skip
    values = per_prompt(run, collect(run))
    summary, comparison = (of[of.metric == "quality"] for of in (summarise(run, values), compare(run, values)))
    assert summary[summary["low"].notna()]["set"].unique().tolist() == ["all sets"]
    for row in rows(summary, set="all sets").to_dict("records"):
        assert 10 <= row["low"] < row["mean"] < row["high"] <= 60
    assert comparison[comparison["p_value"].notna()][["set", "low", "high", "p_value"]].values.tolist() == [
        ["all sets", 1, 1, 2 / 64]
    ]


def test_one_method_compares_with_none(tmp_path):
    run = make_run(tmp_path / "run", {"x": ["a", "b"]}, methods=["jsd"])
    assert len(compare(run, per_prompt(run, collect(run)))) == 0
