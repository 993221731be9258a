"""The command at a tiny size, and what is said of the numbers."""

import re
import shutil

import pandas as pd
import pytest
import tiny
import torch

from jsdpipe.base.files import read_json
from jsdpipe.config.run_config import Study, resolve
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.pipeline.run import Run
from jsdpipe.study import presentation, stage
from jsdpipe.study.descent import LEVELS, descend
from jsdpipe.study.divergences import WEIGHTS
from jsdpipe.study.targets import TARGETS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    found = Run.of(resolve(tiny.config(folder)), folder / "run")
    found.save()
    stage.write(found)
    return found


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_command_makes_the_same_bytes_again(run, jsdpipe, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(run.layout.run_json, copy)
    threads = torch.get_num_threads()
    assert jsdpipe("stage", "study", "--run", copy)[0] == 0
    assert torch.get_num_threads() == threads
    assert contents(copy / "study") == contents(run.layout.study)


def test_its_files(run):
    sections = read_json(run.layout.study / "study.json")
    figures = {figure["file"] for section in sections for figure in section["figures"]}
    tables = {f"{name}.{kind}" for name in ("divergences", "objectives") for kind in ("csv", "md", "tex")}
    assert contents(run.layout.study).keys() == {*figures, *tables, "study.json"}
    assert [section["table"]["name"] for section in sections] == ["divergences", "objectives"]


def test_the_tables_have_every_run(run):
    descents = pd.read_csv(run.layout.study / "divergences.csv")
    assert set(descents["followed"]) == set(WEIGHTS)
    assert set(descents["target"]) == set(TARGETS)
    assert descents["step"].max() == 2
    distilled = pd.read_csv(run.layout.study / "objectives.csv")
    for _, rows in distilled.groupby(["target", "guidance"]):
        assert set(rows["objective"]) == {"start", "sample", *OBJECTIVES.kinds()}
        assert rows["jsd"].between(0, 0.694).all()


@pytest.mark.parametrize("divergence", WEIGHTS)
def test_a_descent_lowers_its_divergence(divergence):
    history = descend(divergence, TARGETS["circle"], "parametric", "annealed", 40, 32, seed=0).history
    assert history[-1][divergence] < history[0][divergence]
    assert [row["step"] for row in history] == [0, 5, 10, 15, 20, 25, 30, 35, 40]
    assert all(row["largest_gradient"] > 0 for row in history[1:])


def test_the_levels():
    assert LEVELS["clean"](3).tolist() == [1, 1, 1]
    annealed = LEVELS["annealed"](30)
    assert annealed[0].item() == pytest.approx(0.01)
    assert (annealed.diff() >= 0).all()
    assert (annealed[20:] == 1).all() and annealed[19] < 1


def objectives_table(jsd):
    """Every objective at a divergence of 0.3 with 2 of 8 modes, but JSD, and SDI at 0.2 with 4."""
    rows = []
    for target in ("circle", "uneven"):
        for guidance in ("exact", "published"):
            for name in ("start", "sample", *OBJECTIVES.kinds()):
                numbers = {"jsd": jsd, "sdi": (0.2, 4)}.get(name, (0.3, 2))
                numbers = (0.01, 8) if name == "sample" else numbers
                rows.append(
                    {"target": target, "guidance": guidance, "objective": name, "jsd": numbers[0],
                     "covered": numbers[1], "modes": 8, "on_modes": 0.5}
                )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("jsd", "ahead", "most"),
    [
        ((0.1, 5), "exact: JSD;", r"JSD .*5 of 8 .*50%.* 5, by JSD\."),
        ((0.25, 4), r"exact: SDI \(JSD .*2 of 11\);", r" 4, by SDI and JSD\."),
        ((0.6, 0), r"exact: SDI \(JSD .*11 of 11\);", r" 4, by SDI\."),
    ],
)  # fmt: skip
def test_captions_say_what_the_numbers_say(jsd, ahead, most):
    section = presentation._part_b(objectives_table(jsd), Study())
    assert re.search(ahead, section.figures[0].caption)
    assert re.search(most, section.figures[1].caption)
    best = {row[1].text for row in section.table.rows if row[4].best}
    assert best == ({"JSD"} if jsd[0] < 0.2 else {"SDI"})
