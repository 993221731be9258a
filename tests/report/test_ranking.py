"""How far an order can be trusted, on values whose answers are known."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from synthetic_run import make_run

from jsdpipe.report.collect import collect
from jsdpipe.report.ranking import ranking, table
from jsdpipe.report.statistics import agreement_of_halves, prompts_needed
from jsdpipe.report.summary import per_prompt


def test_halves_of_methods_that_never_change_places_agree():
    prompts = np.random.default_rng(0).normal(0, 10, (9, 1))
    tau = agreement_of_halves(prompts + np.arange(4), np.zeros(9), "x")
    np.testing.assert_allclose(tau, 1)


def test_halves_with_opposite_means_have_opposite_orders():
    values = np.random.default_rng(0).normal(size=(200, 6))
    values -= values.mean(axis=0)
    tau = agreement_of_halves(values, np.zeros(200), "x")
    np.testing.assert_allclose(tau, -1)


@pytest.mark.parametrize("ties", [False, True])
def test_tau_is_scipys_of_disjoint_halves_of_each_set(ties, monkeypatch):
    monkeypatch.setattr("jsdpipe.report.statistics.SPLITS", 50)
    rng = np.random.default_rng(1)
    values = rng.integers(0, 3, (12, 5)).astype(float) if ties else rng.normal(size=(12, 5))
    sets = np.array(["a"] * 5 + ["b"] * 7)
    possible = set()
    halves = [list(_halves(np.flatnonzero(sets == name))) for name in "ab"]
    for a1, a2 in halves[0]:
        for b1, b2 in halves[1]:
            one, two = values[[*a1, *b1]].mean(axis=0), values[[*a2, *b2]].mean(axis=0)
            possible.add(round(float(stats.kendalltau(one.round(9), two.round(9)).statistic), 6))
    found = agreement_of_halves(values, sets, "x")
    assert len(found) == 50 and len({*found}) > 3
    assert {round(float(tau), 6) for tau in found} <= possible


def _halves(rows: np.ndarray):
    """All pairs of disjoint halves of a set's prompts, without one prompt if their number is odd."""
    size = len(rows) // 2
    for one in combinations(rows, size):
        for two in combinations([row for row in rows if row not in one], size):
            yield one, two


@pytest.mark.parametrize(
    # a textbook's numbers of pairs for a two-sided 5 % and 80 % (Cohen 1988, one-sample t: d = 0.2, 0.5, 0.8)
    ("effect", "prompts"),
    [(0.2, 199), (0.5, 34), (0.8, 15)],
)
def test_the_prompts_that_an_effect_needs(effect, prompts):
    differences = np.array([-1.0, 1.0] * 50)
    differences = differences / differences.std(ddof=1) + effect
    assert prompts_needed(differences, 0.05) == prompts


def test_no_number_of_prompts_finds_what_is_not_there():
    assert prompts_needed(np.array([-1.0, 1.0]), 0.05) == np.inf
    assert prompts_needed(np.zeros(6), 0.05) == np.inf
    assert prompts_needed(np.ones(6), 0.05) == 2


def quality(method: str, part: str, prompt: str, seed: int) -> dict:
    """SDS is ten above JSD, and JSD ten above VSD, for every prompt."""
    level = {"jsd": 50.0, "sds": 60.0, "vsd": 40.0}[method]
    return {"quality": level + ord(prompt) + seed, "alignment": 50.0}


def test_the_best_two_and_the_order(tmp_path):
    run = make_run(tmp_path / "run", {"x": list("abcdef")}, methods=("jsd", "sds", "vsd"), numbers=quality)
    frame = ranking(run, per_prompt(run, collect(run))).set_index(["set", "metric"])
    row = frame.loc["x", "quality"]
    assert (row["first"], row["second"], row["methods"], row["prompts"]) == ("sds", "jsd", 3, 6)
    assert (row["difference"], row["tau"], row["prompts_needed"]) == (pytest.approx(10), 1, 2)
    assert np.isnan(frame.loc["x", "alignment"]["tau"])  # all methods have one alignment
    cells = {row[1].text: row for row in table(run, frame.reset_index()).rows}
    assert [cell.text for cell in cells["Quality ↑"]][2:6] == ["sds", "jsd", "3", "6"]


def test_few_prompts_have_no_agreement_and_two_methods_no_table(tmp_path):
    run = make_run(tmp_path / "run", {"x": list("abc")}, methods=("jsd", "sds", "vsd"), numbers=quality)
    frame = ranking(run, per_prompt(run, collect(run)))
    assert len(frame) and frame[["tau", "low", "high", "prompts_needed"]].isna().all(axis=None)
    run = make_run(tmp_path / "two", {"x": list("abcdef")}, numbers=quality)
    assert ranking(run, per_prompt(run, collect(run))).empty
