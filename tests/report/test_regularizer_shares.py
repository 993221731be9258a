"""The regularizers' share over a run: medians by hand, and where there is no figure."""

import pytest
from synthetic_run import make_run

from jsdpipe.report import figures, html, regularizer_shares, tables

SHARES = {("jsd", "a", 0): 0.1, ("jsd", "a", 1): 0.2, ("jsd", "b", 0): 0.9, ("jsd", "b", 1): 0.3}


def numbers(method, part, prompt, seed):
    if method != "jsd":
        return {"history": [{"step": 0, "loss": 1.0}]}
    share = SHARES[method, prompt, seed]
    rows = [{"step": 0, "regularizer_share": share}, {"step": 50, "regularizer_share": share / 10}, {"step": 99}]
    return {"history": [*rows[: 2 if prompt == "b" else 3], {"step": 60, "regularizer_share": 0.0}]}


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", {"s": ["a", "b"]}, numbers=numbers)


def test_a_line_is_the_median_over_assets_by_the_part_of_the_run(run):
    (method, medians), *others = regularizer_shares.median_shares(run).items()
    assert (method, others) == ("jsd", [])
    assert medians.to_dict() == {0.0: pytest.approx(0.25), 0.5: pytest.approx(0.025)}


def test_an_asset_that_stopped_early_is_left_out(tmp_path):
    """Its last measurement is not of the end of a run."""

    def stopped(method, part, prompt, seed):
        early = {"reason": "not finite", "steps": 10, "history": [{"step": 5, "regularizer_share": 7.0}]}
        return numbers(method, part, prompt, seed) | (early if (method, seed) == ("jsd", 1) else {})

    medians = regularizer_shares.median_shares(make_run(tmp_path / "run", {"s": ["a", "b"]}, numbers=stopped))
    assert medians["jsd"].to_dict() == {0.0: pytest.approx(0.5), 0.5: pytest.approx(0.05)}


def test_the_axis_has_whole_powers_of_ten(run):
    axes = regularizer_shares.draw(run, regularizer_shares.median_shares(run)).axes[0]
    assert axes.get_yscale() == "log" and axes.get_ylim() == (0.01, 1.0)
    (line,) = axes.lines
    assert line.get_label() == "jsd" and line.get_xdata().tolist() == [0.0, 0.5]


def test_the_figure_is_in_the_report(run):
    for write in (tables.write, figures.write, html.write):
        write(run)
    assert (run.layout.figures / "regularizer-share.png").is_file()
    assert (run.layout.report / "figures/regularizer-share.svg").is_file()
    assert 'src="figures/regularizer-share.svg"' in (run.layout.report / "index.html").read_text()


def test_no_shares_no_figure(tmp_path):
    external = {"e": {"kind": "external", "command": "make {prompt} {seed} {out}"}, "sds": {"recipe": "miniature/sds"}}
    run = make_run(tmp_path / "run", {"s": ["a"]}, settings=external)
    for write in (tables.write, figures.write, html.write):
        write(run)
    assert not (run.layout.figures / "regularizer-share.svg").exists()
    assert "regularizer-share" not in (run.layout.report / "index.html").read_text()
