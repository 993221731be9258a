"""Responses of metrics to damages by hand: differences of the same prompts, by damage and dose."""

import numpy as np
import pandas as pd
import pytest
from synthetic_run import make_run

from jsdpipe.report import figures, html, response_chart, responses, tables
from jsdpipe.report.collect import collect
from jsdpipe.report.presentation import NOTHING, TOO_FEW
from jsdpipe.report.summary import per_prompt, summarise

TRUTH = {"truth": {"kind": "truth", "label": "Truth"}}


def control(name, dose=None):
    return {"kind": "control", "of": "truth", "control": name} | ({} if dose is None else {"dose": dose})


SETTINGS = {  # in no order
    "black": control("black"),
    "steep": control("tilted", 30),
    "less": control("left-out"),
    **TRUTH,
    "other-way": control("tilted", -5),
    "wrong": control("wrong-prompt"),
    "grey": control("saturated", -1),
    "slight": control("tilted", 10),
}
SETS = {
    "one": ["a red ball", "a blue cube", "a green cone", "a white house"],
    "two": ["a red ball and a blue cube", "a green cone and a white house"],
}
LOSS = {"black": 50, "slight": 10, "steep": 30, "other-way": -5, "grey": 20, "wrong": 40}


def numbers(method, part, prompt, seed):
    """The truth's quality differs by prompt and seed; a steep tilt takes 6 more of pairs; only pairs lose a part."""
    quality = 60.0 + len(prompt) / 10 + seed
    loss = LOSS.get(method, 0) + (6 if (method, part) == ("steep", "two") else 0)
    loss = loss or (8 if (method, part) == ("less", "two") else 0)
    return {"quality": quality - loss, "alignment": 25.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("responses") / "run", SETS, settings=SETTINGS, numbers=numbers)
    tables.write(run)
    figures.write(run)
    html.write(run)
    return run


def test_differences_by_hand(run):
    found = pd.read_csv(run.layout.tables / "responses.csv")
    quality = found[found["metric"] == "quality"].set_index(["set", "method"])
    of_all = quality.loc["all sets"]
    assert of_all["difference"].to_dict() == pytest.approx(
        {"grey": -20, "other-way": 5, "slight": -10, "steep": -32, "black": -50, "less": -8}
    )
    assert list(of_all.index)[:4] == ["grey", "other-way", "slight", "steep"]  # by damage and dose
    assert of_all["prompts"].to_dict() == {"grey": 6, "other-way": 6, "slight": 6, "steep": 6, "black": 6, "less": 2}
    assert (of_all.loc["slight", "low"], of_all.loc["slight", "high"]) == pytest.approx((-10, -10))
    assert -36 <= of_all.loc["steep", "low"] < -32 < of_all.loc["steep", "high"] <= -30
    assert np.isnan(of_all.loc["less", "low"])
    assert quality.loc[("two", "steep"), "difference"] == pytest.approx(-36)
    assert ("one", "less") not in quality.index  # single things are whole
    assert of_all.loc["steep", ["of", "control", "dose"]].tolist() == ["truth", "tilted", 30]
    assert np.isnan(of_all.loc["black", "dose"])


def test_the_table_for_readers(run):
    table = tables.build(run).laid_out["responses"]
    assert table.header[:5] == ("Damage", "Of", "Dose", "Quality ↑", "Alignment ↑")
    cells = [[cell.text for cell in row[:5]] for row in table.rows]
    assert cells == [
        ["saturated", "Truth", "-1", "-20.0", "+0.0"],
        ["tilted", "Truth", "-5°", "+5.0", "+0.0"],
        ["tilted", "Truth", "10°", "-10.0", "+0.0"],
        ["tilted", "Truth", "30°", "-32.0", "+0.0"],
        ["black", "Truth", NOTHING, "-50.0", "+0.0"],
        ["left-out", "Truth", NOTHING, "-8.0", "+0.0"],
    ]
    assert [row[3].best for row in table.rows] == [True] * 5 + [False]
    assert (table.rows[5][3].aside, table.rows[5][-1].text) == (TOO_FEW, "2")
    assert not any(row[4].best for row in table.rows)


def test_a_panel_has_the_doses_from_0(run):
    values = per_prompt(run, collect(run))
    figure = response_chart.draw(run, responses.respond(run, values))
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["saturated", "tilted", "without dose"]
    saturated, tilted, plain = figure.axes[:3]
    assert saturated.get_ylabel() == "Quality ↑"
    line = tilted.lines[0]
    assert (list(line.get_xdata()), line.get_ydata().tolist()) == ([0, 1, 2, 3], pytest.approx([5, 0, -10, -32]))
    assert saturated.lines[0].get_ydata().tolist() == pytest.approx([-20, 0])
    doses = [[text.get_text() for text in axes.get_xticklabels()] for axes in figure.axes[-3:-1]]
    assert doses == [["-1", "0"], ["-5°", "0°", "10°", "30°"]]
    assert plain.lines[0].get_ydata().tolist() == pytest.approx([-50, -8])
    labels = [text.get_text() for text in figure.axes[-1].get_xticklabels()]
    assert labels == ["black", "left-out"]


def test_charts_of_scores_have_no_lines_of_doses(run):
    values = per_prompt(run, collect(run))
    metric = next(iter(responses.metrics.of_run(run.config)))
    (axes,) = figures._chart(run, values, summarise(run, values), [metric]).axes
    named = {of.get_label() for of in axes.collections if of.get_label()[0] != "_"}
    assert named == {"Truth", "black", "less", "wrong"}


def test_the_report_has_a_section(run):
    page = (run.layout.report / "index.html").read_text(encoding="utf-8")
    assert 'id="responses"' in page and 'src="figures/responses.svg"' in page
    for file in ("figures/responses.svg", "figures/responses.png", "tables/responses.csv", "tables/responses.md"):
        assert (run.layout.report / file).is_file()


def test_a_run_without_damages_has_no_responses(tmp_path):
    settings = {name: SETTINGS[name] for name in ("truth", "wrong")}
    run = make_run(tmp_path / "run", SETS, settings=settings, numbers=numbers, without=["study"])
    tables.write(run)
    figures.write(run)
    html.write(run)
    assert not list(run.folder.rglob("responses*"))
    assert "responses" not in (run.layout.report / "index.html").read_text(encoding="utf-8")
