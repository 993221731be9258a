"""The page on objectives of one's own, run as it is written, but for a few small steps."""

import re
import shlex
from pathlib import Path

import pytest
import tiny
import yaml

from jsdpipe.config.run_config import resolve
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.pipeline.run import Run

PAGE = (Path(__file__).parents[2] / "docs/extend/objective.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="(.+?)"\n(.+?)^```', PAGE, re.DOTALL | re.MULTILINE))
(COMMAND,) = re.findall(r"^```sh\n(.+)\n```", PAGE, re.MULTILINE)
RECIPE, PLUGIN = "one-step-miniature.yaml", Path("one_step.py")
SMALL = "steps: 3\nfield: {resolution: 12}\ncameras: {samples_per_ray: 8}\n"


@pytest.fixture(autouse=True)
def written(tmp_path, monkeypatch, forget_plugins):
    """The page's files, in the working directory."""
    monkeypatch.chdir(tmp_path)
    PLUGIN.write_text(BLOCKS["one_step.py"])
    Path(RECIPE).write_text(BLOCKS[RECIPE] + SMALL)


def test_the_objective_is_short():
    assert len([line for line in BLOCKS["one_step.py"].splitlines() if line.strip()]) < 40


def test_the_command_makes_an_asset_and_its_mesh(jsdpipe, tmp_path):
    program, *arguments = shlex.split(COMMAND)
    status, out, err = jsdpipe(*arguments)
    assert (program, status) == ("jsdpipe", 0), err
    assert {Path(line).name for line in out.splitlines()} >= {"scene.safetensors", "mesh.glb", "record.json"}
    assert OBJECTIVES.root("one-step") == PLUGIN


def test_the_recipe_is_shown_with_its_plugin(jsdpipe):
    shown = jsdpipe("recipes", RECIPE)[1]
    assert yaml.safe_load(shown)["plugins"] == [str(PLUGIN.resolve())]
    Path("shown.yaml").write_text(shown)
    assert jsdpipe("recipes", "shown.yaml")[1] == shown


def test_a_run_knows_the_plugin_of_its_recipe(tmp_path, forget_plugins):
    methods = yaml.safe_load(BLOCKS["methods of config.yaml"])
    Run.of(resolve(tiny.config(tmp_path) | methods), tmp_path / "run").save()
    forget_plugins()
    assert "one-step" not in OBJECTIVES.kinds()
    loaded = Run.load(tmp_path / "run")
    assert loaded.recipes["one-step"].objective.kind == "one-step"
    assert OBJECTIVES.root("one-step") == PLUGIN
    assert OBJECTIVES.root(loaded.recipes["jsd"].objective.kind) == "jsdpipe.objectives.jsd"


def test_a_configuration_names_the_plugin(jsdpipe, tmp_path):
    stated = yaml.safe_load(BLOCKS["plugins of config.yaml"])
    path = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path) | stated)
    assert jsdpipe("check", path)[0] == 0
    assert OBJECTIVES.root("one-step") == PLUGIN
