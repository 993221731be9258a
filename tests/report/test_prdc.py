"""Precision, recall, density and coverage beside a version that follows the papers word by word; and spread."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic_run import make_run

from jsdpipe.base.errors import UserError
from jsdpipe.report.prdc import NAMES, Described, described, distribution, prdc, spreads

NUMBERS = st.integers(-6, 6).map(float)  # so that distances are often equal


def points(least):
    return st.integers(least, 9).flatmap(lambda n: arrays(np.float64, (n, 2), elements=NUMBERS))


def radius(sample, i, k):
    return sorted(math.dist(sample[i], sample[j]) for j in range(len(sample)) if j != i)[k - 1]


@given(points(4), points(4), st.integers(0, 3), st.integers(1, 3))
def test_as_the_papers_define_them(truth, assets, failed, k):
    inside = [[math.dist(t, a) <= radius(truth, i, k) for i, t in enumerate(truth)] for a in assets]
    met = [any(math.dist(t, a) <= radius(assets, j, k) for j, a in enumerate(assets)) for t in truth]
    total = len(assets) + failed
    assert prdc(truth, assets, failed, k) == pytest.approx(
        {
            "precision": sum(map(any, inside)) / total,
            "recall": sum(met) / len(truth),
            "density": sum(map(sum, inside)) / (k * total),
            "coverage": sum(any(row[i] for row in inside) for i in range(len(truth))) / len(truth),
        }
    )


def test_of_one_distribution_density_is_one_and_coverage_as_expected():
    truth, assets = np.random.default_rng(0).standard_normal((2, 1000, 3))
    found = prdc(truth, assets, 0, k=3)
    assert found["density"] == pytest.approx(1, abs=0.1) and found["coverage"] == pytest.approx(7 / 8, abs=0.03)
    assert all(map(math.isnan, prdc(truth[:3], assets, 0, k=3).values()))


def test_features_are_normalized_by_the_truth_alone():
    truth = np.array([[0.0, 0], [2, 0], [0, 2], [2, 2]])
    of = Described.of(10 * truth + 5, 10 * np.array([[1.0, 1], [3, 1]]) + 5, seeds=2)
    np.testing.assert_allclose(of.truth, (truth - 1) / math.sqrt(2))
    np.testing.assert_allclose(of.assets, np.array([[0, 0], [2, 0]]) / math.sqrt(2))
    # squares about the means: 2 of two assets, 8 of four instances
    assert of.spread == pytest.approx(math.sqrt((2 / 1) / (8 / 3)))
    assert math.isnan(Described.of(truth, truth[:1], seeds=1).spread)


def numbers(method, part, prompt, seed):
    """Of `jsd`, assets spread as the instances, in the unit square; of `sds`, all far away, and one failed."""
    if (method, prompt, seed) == ("sds", "a red ball", 0):
        return {"reason": "no surface", "failed_at": "mesh"}
    near = np.random.default_rng([seed, len(prompt)]).random(2)
    return {"features": near if method == "jsd" else near / 100 + 50}


def test_of_a_run(tmp_path):
    prompts = {"x": ["a red ball", "a blue cube"], "y": ["a green cactus"]}
    run = make_run(tmp_path / "run", prompts, seeds=range(10), numbers=numbers, truth=True)
    features = described(run)
    frame = distribution(run, features)
    assert [(row.set, row.prompt) for row in frame[frame.method == "jsd"].fillna("").itertuples()] == [
        ("x", ""), ("x", "a red ball"), ("x", "a blue cube"), ("y", ""), ("y", "a green cactus"), ("all sets", ""),
    ]  # fmt: skip
    whole = frame[(frame.set == "all sets")].set_index("method")
    assert whole.loc["jsd", "precision"] > 0.5 and whole.loc["jsd", "coverage"] > 0.6
    assert whole.loc["sds", [*NAMES]].tolist() == [0, 0, 0, 0]
    assert whole.loc["jsd", "spread"] == pytest.approx(1, abs=0.3) and whole.loc["sds", "spread"] < 0.02
    assert whole["assets"].tolist() == [30, 30] and whole["prompts"].tolist() == [3, 3]
    assert (
        spreads(features)["jsd", "y", run.prompts["y"][0].id]
        == frame.set_index(["prompt", "method"]).loc[("a green cactus", "jsd"), "spread"]
    )


def test_few_seeds_have_no_rows_by_prompt_and_a_missing_file_is_named(tmp_path):
    run = make_run(tmp_path / "run", {"x": ["a red ball", "a blue cube"]}, methods=["jsd"], truth=True)
    frame = distribution(run, described(run))
    assert len(frame) == 1 and frame["prompt"].isna().all() and frame["recall"].notna().all()
    next(run.folder.rglob("truth.safetensors")).unlink()
    with pytest.raises(UserError, match=r"truth\.safetensors.*stage `truth`"):
        described(run)
