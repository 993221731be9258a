import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from jsdpipe import __version__
from jsdpipe.cli import STAGES, SUMMARIES

ROOT = Path(__file__).parents[2]


def test_help_names_every_command_and_imports_no_torch():
    code = "import sys; from jsdpipe.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in (*STAGES, *SUMMARIES, "configure", "check", "recipes", "prompts", "models", "doctor", "miniature"):
        assert command in done.stdout


def test_a_mistake_is_one_line_and_status_2(tmp_path):
    """As a user meets it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "jsdpipe.cli", "check", tmp_path / "none.yaml"], capture_output=True, text=True
    )
    said = f"jsdpipe: error: {tmp_path / 'none.yaml'}: cannot be read (No such file or directory); correct the path\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_check_counts(jsdpipe, tmp_path):
    path = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path, "a red ball\na blue cube\n"))
    assert jsdpipe("check", path) == (0, f"{path}: good, 8 assets in 4 shards\n", "")


@pytest.mark.parametrize(
    ("cap", "said"), [({}, "capped at 10,000 (alignment.judge.max_calls)"), ({"max_calls": None}, "no cap")]
)
def test_check_counts_the_calls_that_a_judge_is_paid_for(jsdpipe, tmp_path, cap, said):
    config = tiny.config(tmp_path, "a red ball\na blue cube\n")
    config["alignment"]["judge"] = {"kind": "openai", "base_url": "http://localhost/v1", "model": "m", **cap}
    path = tiny.write(tmp_path / "c.yaml", config)
    assert jsdpipe("check", path)[1] == f"{path}: good, 8 assets in 4 shards, 16 calls of the judge or more, {said}\n"


def test_configure_reads_standard_input(jsdpipe, tmp_path, monkeypatch):
    config = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path))
    jsdpipe("configure", config, "--run", tmp_path / "file")
    with config.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert jsdpipe("configure", "-", "--run", tmp_path / "stdin")[0] == 0
    assert (tmp_path / "file/run.json").read_bytes() == (tmp_path / "stdin/run.json").read_bytes()


def test_an_empty_path_is_named(jsdpipe):
    assert jsdpipe("check", "") == (
        2, "", "jsdpipe: error: CONFIG: empty; give the path of a YAML file, or - for JSON on standard input\n"
    )  # fmt: skip


def test_a_run_that_cannot_be_written_is_one_line(jsdpipe, tmp_path):
    config = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full/run.json").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    for folder, reason in (
        (tmp_path / "file", "Not a directory"),
        (tmp_path / "file/below", "Not a directory"),
        (tmp_path / "full", "Is a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        said = f"{folder}/run.json: cannot be written ({reason}); give another folder, or free this one"
        assert jsdpipe("configure", config, "--run", folder) == (2, "", f"jsdpipe: error: {said}\n")
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_without_its_run_or_of_an_unknown_shard(jsdpipe, tmp_path, stage):
    status, _, err = jsdpipe(stage, "--run", tmp_path / "none", "--shard", "jsd/single/000")
    assert (status, err.count("\n")) == (2, 1)
    assert "no such file; write it with `jsdpipe configure" in err
    path = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path))
    jsdpipe("configure", path, "--run", tmp_path / "run")
    status, _, err = jsdpipe(stage, "--run", tmp_path / "run", "--shard", "../x")
    assert (status, err.count("\n")) == (2, 1)
    assert "no shard '../x'" in err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]


@pytest.mark.parametrize("name", ["quality", "alignment", "diversity", "study"])
def test_what_the_configuration_leaves_out_is_said_and_refused(jsdpipe, tmp_path, name):
    config = tiny.config(tmp_path) | {name: None}
    path, run = tiny.write(tmp_path / "c.yaml", config), tmp_path / "run"
    assert jsdpipe("check", path)[1] == f"{path}: good, 4 assets in 2 shards, without {name}\n"
    jsdpipe("configure", path, "--run", run)
    shard = () if name == "study" else ("--shard", "jsd/single/000")
    status, _, err = jsdpipe(name, "--run", run, *shard)
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"jsdpipe: error: {run / 'run.json'}: {name}: left out")
    assert [path.name for path in run.iterdir()] == ["run.json"]


@pytest.mark.parametrize("summary", [name for name in SUMMARIES if name != "study"])
def test_a_summary_before_its_stages_is_one_line(jsdpipe, tmp_path, summary):
    path = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path))
    jsdpipe("configure", path, "--run", tmp_path / "run")
    status, _, err = jsdpipe(summary, "--run", tmp_path / "run")
    assert (status, err.count("\n")) == (2, 1)
    assert "write it with `jsdpipe" in err


def test_the_version(jsdpipe):
    assert jsdpipe("--version") == (0, f"jsdpipe {__version__}\n", "")


def test_without_a_configuration_it_is_the_default_run_in_any_folder(jsdpipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert jsdpipe("check")[0] == 0
    assert jsdpipe("configure", "--run", "given")[0] == 0
    monkeypatch.chdir(ROOT)
    jsdpipe("configure", "config.yaml", "--run", tmp_path / "named")
    assert (tmp_path / "given/run.json").read_bytes() == (tmp_path / "named/run.json").read_bytes()


OTHER = {"model": "an-owner/a-name"}
OTHER_SCORES = {
    "quality": {"reward": {"kind": "imagereward", **OTHER}},
    "diversity": {"classifier": {"kind": "inception-v3"}, "features": {"kind": "dino", **OTHER}},
}


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [({}, 1), ({"prior": OTHER}, 1), (OTHER_SCORES, 1), (OTHER_SCORES | {"prior": OTHER}, 0)],
)
def test_check_warns_in_one_line_of_prompts_that_the_miniature_does_not_understand(
    jsdpipe, tmp_path, changes, warnings
):
    config = tiny.config(tmp_path, "a red ball\na cat\n\u0642\u0637\u0629\n")
    judge = {"kind": "openai", "base_url": "http://localhost/v1", "model": "m"}  # `attributes` would refuse them
    config["alignment"] = {"captioner": {"kind": "blip", **OTHER}, "judge": judge}
    status, _, err = jsdpipe("check", tiny.write(tmp_path / "c.yaml", config | changes))
    assert (status, err.count("\n")) == (0, warnings)
    assert not warnings or ("line 2: " in err and '"a cat", and 1 more' in err)
