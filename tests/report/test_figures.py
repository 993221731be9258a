"""Contact sheets by their pixels, charts by their files."""

import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image
from synthetic_run import make_run

from jsdpipe.base.errors import UserError
from jsdpipe.metrics import METRICS
from jsdpipe.report import figures
from jsdpipe.report.collect import collect
from jsdpipe.report.contact import GAP, GROUP_GAP, HEAD, LABEL, MARGIN
from jsdpipe.report.images import failed_tile, font, wrap
from jsdpipe.report.summary import per_prompt, summarise

NASTY = '<b>"$x^2$" & 50% \\frac{} 🍄</b>'


def fail_second_seed_of_sds(method, part, prompt, seed):
    return {"reason": "empty field " * 30, "quality": 5.0, "alignment": 0.0} if (method, seed) == ("sds", 1) else {}


def test_contact_sheet_shows_each_asset_in_its_place(tmp_path):
    run = make_run(tmp_path / "run", {"single": ["a", NASTY]}, numbers=fail_second_seed_of_sds)
    figures.write(run)
    sheet = Image.open(run.layout.figures / "contact-single-01.png").convert("RGB")

    def center(method, seed, row):
        x = MARGIN + LABEL + GROUP_GAP + method * (2 * 192 + GAP + GROUP_GAP) + seed * (192 + GAP) + 96
        return sheet.getpixel((x, MARGIN + HEAD + row * (192 + GAP) + 96))

    for row in (0, 1):
        # The fixture's frames are red, with blue 20 times the seed; lossless.
        assert center(0, 0, row) == (255, 0, 0)
        assert center(0, 1, row) == (255, 0, 20)
        assert center(1, 0, row) == (255, 0, 0)
        red, green, blue = center(1, 1, row)
        assert red == green == blue


def test_sheets_are_paged(tmp_path):
    run = make_run(tmp_path / "run", {"s": [f"prompt {i}" for i in range(21)], "t": ["x"]}, methods=["jsd"], seeds=[0])
    figures.write(run)
    names = {path.name for path in run.layout.figures.glob("contact-*")}
    assert names == {"contact-s-01.png", "contact-s-02.png", "contact-t-01.png"}
    heights = [Image.open(run.layout.figures / f"contact-s-0{page}.png").height for page in (1, 2)]
    assert heights[0] - heights[1] == 19 * (192 + GAP)


def test_charts_same_bytes_without_dates(tmp_path):
    run = make_run(
        tmp_path / "run",
        {"single": ["a", "b"], "multi": [NASTY]},
        numbers=fail_second_seed_of_sds,
        labels={"jsd": "$JSD$ <&>"},
    )
    figures.write(run)
    first = {path.name: path.read_bytes() for path in run.layout.figures.iterdir()}
    figures.write(run)
    assert {path.name: path.read_bytes() for path in run.layout.figures.iterdir()} == first
    for name in ("scores", "similarity", "diversity", "recognition"):
        assert b"<dc:date>" not in first[f"{name}.svg"]
        ElementTree.fromstring(first[f"{name}.svg"])
        assert Image.open(run.layout.figures / f"{name}.png").width > 400


def test_the_legend_of_many_methods_is_within_a_narrow_chart(tmp_path):
    labels = {f"m{number}": f"a method of a long name {number}" for number in range(6)}
    run = make_run(tmp_path / "run", {"single": ["a"]}, methods=labels, seeds=[0], labels=labels)
    values = per_prompt(run, collect(run))
    chart = figures._chart(run, values, summarise(run, values), [METRICS["recognition"]])
    chart.draw_without_rendering()
    (legend,) = chart.legends
    box = legend.get_window_extent()
    assert len(legend.get_texts()) == 6 and box.x0 >= 0 and box.x1 <= chart.bbox.x1
    assert chart.axes[0].get_position().height * chart.get_figheight() > 1  # inches


def test_too_few_prompts_have_no_whisker(tmp_path):
    run = make_run(tmp_path / "run", {"few": list("abcde"), "enough": list("ghijkl")}, methods=["jsd"])
    values = per_prompt(run, collect(run))
    chart = figures._chart(run, values, summarise(run, values), [METRICS["recognition"]])
    (whiskers,) = chart.axes[0].collections
    drawn = [len(segment) == 2 for segment in whiskers.get_segments()]
    assert drawn == [False, True, True]  # and all sets


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_one_prompt_or_one_seed_is_enough(tmp_path, seeds):
    run = make_run(tmp_path / "run", {"single": ["a"]}, methods=["jsd"], seeds=seeds)
    figures.write(run)
    assert (run.layout.figures / "diversity.svg").is_file()


def test_a_missing_turntable_is_the_users_to_mend(tmp_path):
    run = make_run(tmp_path / "run", {"single": ["a"]}, methods=["jsd"])
    next((run.folder / "assets").rglob("turntable.webp")).unlink()
    with pytest.raises(UserError, match=r"turntable\.webp.*render"):
        figures.write(run)
    assert not run.layout.figures.exists()


def test_failed_tile_and_text_keep_their_bounds():
    assert failed_tile("word " * 500, 64).size == (64, 64)
    for text in ("x" * 2000, "W" * 2000, "a few words " * 200):
        lines = wrap(text, font(20), 260, lines=7).split("\n")
        assert len(lines) == 7 and lines[-1].endswith("…")
        assert max(font(20).getlength(line) for line in lines) <= 260
    assert wrap("a short prompt", font(20), 260, lines=7) == "a short prompt"
