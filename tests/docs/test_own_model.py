"""The page on scoring models of one's own, run as it is written."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
import trimesh

from jsdpipe.base import registry
from jsdpipe.config.run_config import read_config
from jsdpipe.config.scoring_models import model_roots
from jsdpipe.models.roles import REWARDS
from jsdpipe.planning.needed_models import needed

PAGE = (Path(__file__).parents[2] / "docs/extend/model.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="(.+?)"\n(.+?)^```', PAGE, re.DOTALL | re.MULTILINE))
(COMMAND,) = re.findall(r"^```sh\n(.+)\n```", PAGE, re.MULTILINE)
PLUGIN, CONFIG = Path("named_color.py"), Path("color.yaml")


@pytest.fixture(autouse=True)
def written(tmp_path, monkeypatch):
    """The page's files, in the working directory; the plugin is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(REWARDS, "_entries", {**REWARDS._entries})
    monkeypatch.setattr(registry, "_PLUGINS", {})
    for path in (PLUGIN, CONFIG):
        path.write_text(BLOCKS[path.name])
    yield
    for module in registry._PLUGINS:
        del sys.modules[module]


def test_the_reward_is_short():
    assert len([line for line in BLOCKS["named_color.py"].splitlines() if line.strip()]) < 40


def test_the_command_scores_a_mesh_by_the_reward(jsdpipe):
    ball = trimesh.creation.icosphere(subdivisions=3)
    numbers = {}
    for color, rgb in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        ball.visual.vertex_colors = rgb
        ball.export("ball.glb")
        program, *arguments = shlex.split(COMMAND)
        status, out, err = jsdpipe(*arguments, "--out", f"{color}.json")
        assert (program, status) == ("jsdpipe", 0), err
        found = json.loads(Path(f"{color}.json").read_text())
        numbers[color] = found["assets"][0]["quality"]
        assert found["provenance"]["quality"]["models"] == {"reward": "named-color within 150.0"}
        assert f"{numbers[color]:.1f}" in out
    # a pixel of the other color is 255 times the root of 2 away
    assert numbers["red"] == pytest.approx(70, abs=0.5)
    assert numbers["blue"] == pytest.approx(50 + 20 * (1 - 255 * 2**0.5 / 150), abs=0.5)


def test_the_plugin_is_known_by_its_file(tmp_path):
    config = read_config(CONFIG, "c")
    assert model_roots(config, "quality") == [PLUGIN]
    (model,) = needed(config, "c")
    assert (model.name, model.origin, model.mends) == ("named-color", f"file: {PLUGIN}", ())


def test_a_wrong_key_of_the_reward_is_named(jsdpipe):
    CONFIG.write_text(CONFIG.read_text().replace("tolerance", "tolerence"))
    status, _, err = jsdpipe("models", "check", CONFIG)
    assert status == 2
    assert err.endswith(f"{CONFIG}: quality.reward.tolerence: unknown key; did you mean 'tolerance'?\n")
