"""The bench: both ways give the same rewards, and its table says what was measured."""

from pathlib import Path

import numpy as np
import pictures
import pytest
import tiny_imagereward

from jsdpipe.base.device import available_device
from jsdpipe.base.validation import read_yaml
from jsdpipe.bench import scoring as bench
from jsdpipe.config.run_config import read_config
from jsdpipe.models.roles import REWARDS
from jsdpipe.render.rigs import Cameras, place_for_t3bench, quality_cameras

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(bench, "VIEWS", 3)
    monkeypatch.setattr(bench, "ASSETS", 2)
    monkeypatch.setattr(bench, "SUBDIVISIONS", 3)


def test_both_ways_give_the_rewards_of_the_views(tmp_path):
    content = read_yaml(ROOT / "config.yaml")
    words = {"model": str(tiny_imagereward.make_vocabulary(tmp_path))}
    model = str(tiny_imagereward.make_imagereward(tmp_path))
    content["quality"]["reward"] = {"kind": "imagereward", "model": model, "tokenizer": words}
    config = read_config(content, "config.yaml")
    costs = bench.evaluate(config)
    every = quality_cameras(config.render.quality)
    step = -(-len(every.fovy) // 3)
    cameras = Cameras(every.camera_to_world[::step], every.fovy[::step])
    surface = place_for_t3bench(bench.boulder())
    seen = pictures.views(surface, cameras, config.render.size, config.render.supersample)
    expected = REWARDS.load(config.quality.reward, available_device()).score(bench.PROMPT, np.stack(seen))
    assert len(set(expected.round(3))) == 3
    for way in (costs.theirs, costs.ours):
        np.testing.assert_allclose(way.rewards, expected, atol=1e-4)
        assert 0 < way.render < way.score


def test_the_table_has_costs_a_view_and_their_ratios():
    rewards = np.array([1.0, 2.0])
    theirs, ours = bench.Way(0.4, 2.0, rewards), bench.Way(0.1, 0.5, rewards + 1e-3)
    rows = bench.Costs(theirs, ours, (2 << 20, 3 << 20)).rows()
    assert rows[1:] == [
        ("rendering", "200.0 ms", "50.0 ms", "4.0"),
        ("quality score", "1000.0 ms", "250.0 ms", "4.0"),
        ("largest difference of a reward", "", "0.001", ""),
        ("peak memory, 1 asset", "", "2 MB", ""),
        ("peak memory, 2 assets", "", "3 MB", "1.50"),
    ]


def test_the_command_prints_the_table(jsdpipe, monkeypatch):
    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "LP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # what the command sets ends with the test
    status, out, _ = jsdpipe("bench", "evaluate", ROOT / "config.yaml")
    assert status == 0
    assert [line.split("  ")[0] for line in out.splitlines()[1:3]] == ["rendering", "quality score"]
