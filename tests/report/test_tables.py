"""The tables stage: files, bold, escapes, and the cases with too little to say."""

import csv

import numpy as np
import pandas as pd
import pytest
from synthetic_run import make_run

from jsdpipe.report import presentation, tables

NASTY = '<script>alert("x")</script> & 100% $(rm -rf) #1 \\_{}~^|* 🍄'


def cells(path):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in path.read_text().splitlines()[4:]]


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
            r"**62.0** \[62.0, 62.0\]",
            r"75.0 \[75.0, 75.0\]",
            r"**68.5** \[68.5, 68.5\]",
            "6",
            "12",
            "0",
        ],
        ["single", "sds", r"40.0 \[40.0, 40.0\]", r"75.0 \[75.0, 75.0\]", r"57.5 \[57.5, 57.5\]", "6", "12", "0"],
    ]
    with (run.layout.tables / "scores.csv").open() as stream:
        first = next(csv.DictReader(stream))
    assert first["method"] == "jsd" and float(first["mean"]) == pytest.approx(62.02)  # every digit, and the key's name


def test_lower_is_better_for_iq_and_cosine(tmp_path):
    def numbers(method, part, prompt, seed):
        return {"iq": 0.1, "iv": 0.2, "cosine": 0.3} if method == "jsd" else {"iq": 0.2, "iv": 0.4, "iv_per_view": 0.3}

    run = make_run(tmp_path / "run", {"single": ["a"]}, numbers=numbers)
    tables.write(run)
    assert cells(run.layout.tables / "diversity.md") == [
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
            for row in cells(folder / f"{name}.md"):
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
    assert cells(run.layout.tables / "similarity.md") == [
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
        rows = presentation.paired(run, built.comparison, reference)[0].rows
        return {row[1].text: (row[2].text, row[2].aside.replace("\N{NO-BREAK SPACE}", " ")) for row in rows}

    # b - a: five times 1, once 7, which a resample holds 0 to 3 times (see test_statistics.py); of 64 sign patterns two
    # are as far from 0
    assert quality("a") == {"b": ("-2.0", "[-4.0, -1.0], p 0.031"), "c": ("+40.0", "[+40.0, +40.0], p 0.031")}
    assert quality("b") == {"a": ("+2.0", "[+1.0, +4.0], p 0.031"), "c": ("+42.0", "[+41.0, +44.0], p 0.031")}
    assert built.laid_out["paired"].rows == presentation.paired(run, built.comparison, "a")[0].rows


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


def test_a_small_p_is_not_0(tmp_path):
    run = make_run(
        tmp_path / "run", {"s": [f"prompt {i}" for i in range(12)]},
        numbers=lambda method, *_: {"quality": 60.0 if method == "jsd" else 50.0},
    )  # fmt: skip
    aside = tables.build(run).laid_out["paired"].rows[0][2].aside  # p is 2 / 2^12
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
        "set": "single",
        "prompt_id": 0,
        "prompt": NASTY,
        "seed": 1,
        "failed_at": "mesh",
        "reason": "no density above 25_000",
    }
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
    assert frame[["method", "set", "prompt", "seed"]].to_numpy().tolist() == [
        ["jsd", "single", prompt, 1] for prompt in ("a", "b")
    ]
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
    assert cells(folder / "scores.md") == [
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
