"""Truth and controls are set apart from what is ranked, and scores have their places between them."""

import dataclasses

import pandas as pd
import pytest
from synthetic_run import make_run

from jsdpipe.metrics import METRICS
from jsdpipe.report import figures, style, summary, tables
from jsdpipe.report.collect import collect
from jsdpipe.report.presentation import NOTHING

SETTINGS = {  # the controls first, which must not make one of them the reference
    "truth": {"kind": "truth", "label": "Truth"},
    "wrong": {"kind": "control", "of": "truth", "control": "wrong-prompt"},
    "black": {"kind": "control", "of": "truth", "control": "black"},
    "jsd": {"recipe": "miniature/jsd"},
    "sds": {"recipe": "miniature/sds"},
}
SETS = {"x": ["a red ball", "a blue cube"], "y": ["a green cone", "a white house"]}
QUALITY = {
    ("truth", "x"): 80.0, ("truth", "y"): 60.0, ("wrong", "x"): 20.0, ("wrong", "y"): 10.0,
    ("jsd", "x"): 50.0, ("jsd", "y"): 70.0, ("sds", "x"): 5.0, ("sds", "y"): 35.0,
}  # fmt: skip
# per set, between 20 and 80, between 10 and 60; of all, between 15 and 70: jsd has 60, sds 20
PLACES = {
    ("x", "jsd"): 50, ("x", "sds"): -25, ("y", "jsd"): 120, ("y", "sds"): 50,
    ("all sets", "jsd"): 100 * 45 / 55, ("all sets", "sds"): 100 * 5 / 55,
}  # fmt: skip


def numbers(method, part, prompt, seed):
    """Alignment has the same value everywhere, so its ceiling is not above its floor."""
    return {"quality": QUALITY.get((method, part), 5.0), "alignment": 25.0, "iv": 2.0 if method == "truth" else 1.0}


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", SETS, settings=SETTINGS, numbers=numbers)


def test_places_by_hand(run):
    tables.write(run)
    scores = pd.read_csv(run.layout.tables / "scores.csv")
    known = scores[scores["place"].notna()]
    of_quality = known[known["metric"] == "quality"].set_index(["set", "method"])["place"]
    assert of_quality.to_dict() == pytest.approx(PLACES)
    assert set(known["metric"]) == {"quality", "average"}
    assert scores[scores["set"] == "x"].drop_duplicates("method").set_index("method")["kind"].to_dict() == {
        "jsd": "recipe", "sds": "recipe", "truth": "truth", "wrong": "control", "black": "control",
    }  # fmt: skip
    # the wrong prompt is no floor of diversity
    assert pd.read_csv(run.layout.tables / "diversity.csv")["place"].isna().all()


def test_of_a_metric_that_is_better_when_lower_the_ceiling_is_the_lower_value(run):
    lower = dataclasses.replace(METRICS["quality"], direction="lower")
    assert summary._places(run, lower, {"jsd": 30.0, "truth": 20.0, "wrong": 60.0}) == {"jsd": 75}
    assert summary._places(run, lower, {"jsd": 30.0, "truth": 60.0, "wrong": 20.0}) == {}


@pytest.mark.parametrize("absent", ["truth", "wrong"])
def test_without_a_ceiling_or_a_floor_there_are_no_places_and_no_separation(tmp_path, absent):
    settings = {
        "truth": {"truth": {"kind": "external", "command": "make {prompt} {seed} {out}"}, "wrong": SETTINGS["wrong"]},
        "wrong": {"truth": SETTINGS["truth"]},
    }[absent]
    run = make_run(tmp_path / "run", SETS, settings={**settings, "jsd": SETTINGS["jsd"]}, numbers=numbers)
    built = tables.build(run)
    assert built.summary["place"].isna().all()
    assert "Place" not in built.laid_out["scores"].header
    assert "separation" not in built.laid_out


def test_tables_show_controls_below_and_never_bold(run):
    table = tables.build(run).laid_out["scores"]
    assert table.header[3:7] == ("Quality ↑", "Place", "Alignment ↑", "Average ↑")
    groups = table.groups()
    assert [[row[1].text for row in group] for group in groups] == [["jsd", "sds"], ["Truth", "wrong", "black"]] * 3
    assert [[(row[3].text, row[4].text, row[3].best) for row in group] for group in groups[:2]] == [
        [("50.0", "50", True), ("5.0", "-25", False)],
        [("80.0", NOTHING, False), ("20.0", NOTHING, False), ("5.0", NOTHING, False)],
    ]


def test_controls_are_in_no_comparison(run):
    built = tables.build(run)
    assert set(zip(built.comparison["a"], built.comparison["b"], strict=True)) == {("jsd", "sds")}
    assert {row[1].text for row in built.laid_out["paired"].rows} == {"sds"}


def test_a_run_of_controls_alone_compares_nothing(tmp_path):
    settings = {name: SETTINGS[name] for name in ("truth", "wrong")}
    built = tables.build(make_run(tmp_path / "run", SETS, settings=settings, numbers=numbers))
    assert len(built.comparison) == 0 and built.laid_out["paired"].rows == ()
    assert [row[1].text for row in built.laid_out["scores"].rows] == ["Truth", "wrong"] * 3


def test_charts_have_bars_of_contestants_and_lines_of_controls(run):
    values = summary.per_prompt(run, collect(run))
    chart = figures._chart(run, values, summary.summarise(run, values), [METRICS["quality"]])
    (axes,) = chart.axes
    assert [[bar.get_height() for bar in bars] for bars in axes.containers if hasattr(bars, "patches")] == [
        [50, 70, 60], [5, 35, 20],
    ]  # fmt: skip
    lines = {
        of.get_label(): [y for (_, y), _ in of.get_segments()] for of in axes.collections if of.get_label()[0] != "_"
    }
    assert lines == {"Truth": [80, 60, 70], "wrong": [20, 10, 15], "black": [5, 5, 5]}
    assert [text.get_text() for text in chart.legends[0].get_texts()] == ["jsd", "sds", "Truth", "wrong", "black"]


def test_controls_take_no_color_from_contestants(run):
    assert [style.color(run, name) for name in ("jsd", "sds")] == list(style.PALETTE[:2])
    assert style.color(run, "truth") == style.CONTROLS[0]
