"""Whether scores tell the truth from the wrong prompt, counted by hand."""

import dataclasses

import pandas as pd
import pytest
from synthetic_run import make_run

from jsdpipe import metrics
from jsdpipe.metrics import METRICS
from jsdpipe.report import figures, html, tables
from jsdpipe.report.collect import collect
from jsdpipe.report.separation import separation

SETTINGS = {
    "truth": {"kind": "truth", "label": "Truth"},
    "wrong": {"kind": "control", "of": "truth", "control": "wrong-prompt"},
    "jsd": {"recipe": "miniature/jsd"},
}
SETS = {"x": ["a red ball", "a blue cube"], "y": ["a green cone", "a white house"]}
# of two prompts by two seeds
QUALITY = {("truth", "x"): (40, 50, 60, 70), ("wrong", "x"): (10, 20, 50, 65),
           ("truth", "y"): (20, 20, 20, 20), ("wrong", "y"): (10, 10, 10, 10)}  # fmt: skip
# within x, of 16 pairs 40 wins 2, 50 wins 2 and ties 1, 60 wins 3, 70 wins 4; within y, all are won; between the sets,
# the truth of x wins all 16 against y's wrong prompt, that of y wins 4 against x's (10) and ties 4 (20)
AUC = {"x": 11.5 / 16, "y": 1, "all sets": (11.5 + 16 + 16 + 4 + 2) / 64}


def numbers(method, part, prompt, seed):
    place = 2 * SETS[part].index(prompt) + seed
    return {"quality": QUALITY.get((method, part), [0] * 4)[place], "alignment": 25.0}


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", SETS, settings=SETTINGS, numbers=numbers)


def test_shares_of_pairs_by_hand(run):
    tables.write(run)
    found = pd.read_csv(run.layout.tables / "separation.csv").set_index(["metric", "set"])
    assert found.loc["quality", "auc"].to_dict() == pytest.approx(AUC)
    assert (found.loc["alignment", "auc"] == 0.5).all()  # all are equal
    assert set(found["ceiling"]) == {"truth"} and set(found["floor"]) == {"wrong"}
    assert found.loc["quality", "floor_assets"].to_dict() == {"x": 4, "y": 4, "all sets": 8}
    # diversity does not depend on the prompt
    assert set(found.index.levels[0]) == {
        "quality", "alignment", "average", "similarity", "r_precision", "recognition",
    }  # fmt: skip
    figures.write(run)
    html.write(run)
    assert 'id="separation"' in (run.layout.report / "index.html").read_text(encoding="utf-8")


def test_a_score_that_is_better_when_lower_is_turned(run, monkeypatch):
    lower = (dataclasses.replace(METRICS["quality"], direction="lower"),)
    monkeypatch.setattr(metrics, "of_run", lambda config: lower)
    found = separation(run, collect(run).assets).set_index("set")["auc"]
    assert found.to_dict() == pytest.approx({name: 1 - auc for name, auc in AUC.items()})
