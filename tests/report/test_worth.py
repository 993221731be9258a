"""What metrics are worth: rank correlations beside SciPy's, and those of a run whose orders are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from synthetic_run import make_run

from jsdpipe.report import figures, html, tables
from jsdpipe.report.statistics import correlation_of_means, spearman, tau_b

PAIRS = arrays(np.float64, st.tuples(st.just(2), st.integers(2, 12)), elements=st.integers(0, 4).map(float))


@given(PAIRS)
def test_as_scipy_s_with_ties(pair):
    x, y = pair
    if len(set(y)) == 1:
        assert np.isnan([tau_b(x, y), spearman(x, y)]).all()
    elif len(set(x)) == 1:
        assert (tau_b(x, y), spearman(x, y)) == (0, 0)
    else:
        assert tau_b(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_by_hand_and_along_the_last_axis():
    """Of 1 2 3 4 and 1 3 2 4, five pairs of six agree."""
    x, y = np.array([[1.0, 2, 3, 4]] * 2), np.array([[1.0, 3, 2, 4], [4, 2, 3, 1]])
    np.testing.assert_allclose(tau_b(x, y), [4 / 6, -4 / 6])
    np.testing.assert_allclose(spearman(x, y), [0.8, -0.8])


def test_the_interval_of_means_is_over_prompts():
    rng = np.random.default_rng(0)
    truth = np.arange(5.0) + rng.normal(0, 4, (12, 5))
    found = correlation_of_means(tau_b, truth + rng.normal(0, 4, (12, 5)), truth, 0.95, 500, "key")
    assert found.low < found.mean <= found.high and found.n == 12
    same = correlation_of_means(tau_b, truth, truth, 0.95, 500, "key")
    assert (same.mean, same.low, same.high) == pytest.approx((1, 1, 1))
    assert correlation_of_means(tau_b, truth[:5], truth[:5], 0.95, 500, "key").low is None


METHODS = {
    "truth": {"kind": "truth"},
    **{name: {"recipe": "miniature/sds"} for name in ("one", "two", "three")},
}
PLACES = {"one": 0, "two": 1, "three": 2, "truth": 3}


def numbers(method, part, prompt, seed):
    """Quality has the truth's order, alignment the opposite one, similarity is always the same.

    IQ is lowest for the best; the higher the cosine, the nearer are the seeds.
    """
    place = 2 * PLACES[method] + seed
    side = 0.1 * PLACES[method]
    return {
        **dict.fromkeys(("colored_f_score", "silhouette", "parts"), place / 10),
        "f_score": 0.5,
        "quality": 20.0 + place,
        "alignment": 100.0 - 12.5 * place,
        "similarity": 25.0,
        "iq": 1 - place / 10,
        "cosine": 0.9 - side,
        "features": (side * seed, 0.0),
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worth") / "run"
    prompts = {"x": ["a red ball", "a blue cube", "a green cactus"], "y": ["a red car", "a blue cone", "a white duck"]}
    run = make_run(folder, prompts, settings=METHODS, numbers=numbers, truth=True)
    for write in (tables.write, figures.write, html.write):
        write(run)
    return run


def test_of_a_run_whose_orders_are_known(run):
    frame = pd.read_csv(run.layout.tables / "worth.csv")
    key = ["set", "among", "score", "truth", "ordered", "coefficient"]
    assert not frame.duplicated(key).any()
    whole = frame[frame["set"] == "all sets"].set_index(key[1:]).sort_index()
    for score, value in {"quality": 1, "alignment": -1, "similarity": 0, "iq": 1}.items():
        for truth in ("colored_f_score", "silhouette"):
            found = whole.loc[("ranked methods", score, truth)]
            assert found["value"].tolist() == pytest.approx([value] * 4)
            assert set(found.index) == {(o, c) for o in ("assets", "methods") for c in ("tau_b", "spearman")}
            assert found["prompts"].tolist() == [6] * 4 and found["low"].notna().all()
    assert "f_score" not in set(frame["truth"])  # it is the same everywhere, so nothing can be in its order
    assert set(frame.loc[frame["truth"] == "spread", "score"]) == {"iv", "iv_per_view", "cosine"}
    found = whole.loc[("ranked methods", "cosine", "spread")]
    assert found["value"].tolist() == pytest.approx([1] * 4)
    assert whole.loc[("all methods", "quality", "colored_f_score", "assets", "tau_b"), "value"] == pytest.approx(1)
    assert frame[frame["set"] == "x"]["low"].isna().all()


def test_tables_figure_and_report_show_it(run):
    text = (run.layout.tables / "worth.md").read_text()
    assert text.count("\n| ranked methods |") == text.count("\n| all methods |") == 10
    assert "\n| x | truth | truth |" in (run.layout.tables / "prdc.md").read_text()
    for kind in ("png", "svg"):
        assert (run.layout.figures / f"worth.{kind}").stat().st_size
    index = (run.layout.report / "index.html").read_text()
    for part in ('id="prdc"', 'id="worth"', 'id="truth"', "figures/worth.svg", "figures/truth.svg", "tables/worth.csv"):
        assert part in index


def test_two_methods_of_one_seed_have_no_order(tmp_path):
    run = make_run(tmp_path / "run", {"x": ["a red ball"]}, methods=["one", "two"], seeds=[0], truth=True)
    for write in (tables.write, figures.write):
        write(run)
    assert pd.read_csv(run.layout.tables / "worth.csv").empty
    assert (run.layout.figures / "worth.svg").is_file()
