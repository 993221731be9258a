"""The functions for notebooks."""

import inspect
import subprocess
import sys

import pytest
from synthetic_run import make_run

import jsdpipe
from jsdpipe.base.errors import UserError


def test_a_run_as_tidy_frames(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(
        tmp_path / "results/mine",
        {"single": ["a cone", "a ball"]},
        numbers=lambda method, part, prompt, seed: {"quality": 60.0 + seed, "cosine": 0.25},
    ).save()
    for run in ("mine", "results/mine", tmp_path / "results/mine"):
        found = jsdpipe.load_run(run)
        assert found.assets.groupby("method")["quality"].mean().to_dict() == {"jsd": 60.5, "sds": 60.5}
        assert found.prompts["cosine"].tolist() == [0.25] * 4
        assert found.similarities["jsd", "single", found.prompts.prompt_id[0]].shape == (2, 2)


def test_a_run_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="none"):
        jsdpipe.load_run(tmp_path / "none")


def test_making_and_scoring_are_what_the_commands_do():
    assert inspect.signature(jsdpipe.make).parameters.keys() >= {"prompt", "recipe", "seed", "out"}
    assert inspect.signature(jsdpipe.score).parameters.keys() >= {"meshes", "prompt", "config"}


def test_the_package_imports_nothing_until_it_is_asked():
    code = "import sys, jsdpipe; print(*(name for name in sys.modules if name.startswith('jsdpipe.')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == ""
