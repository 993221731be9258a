import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from jsdpipe import __version__
from jsdpipe.config.stages import RUN_STAGES, SHARD_STAGES

ROOT = Path(__file__).parents[2]


def test_help_names_every_command_and_imports_no_torch():
    code = "import sys; from jsdpipe.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in (
        "stage",
        "make",
        "score",
        "accept",
        "configure",
        "check",
        "recipes",
        "prompts",
        "models",
        "doctor",
        "miniature",
    ):
        assert command in done.stdout


def test_a_mistake_is_one_line_and_status_2(tmp_path):
    """As a user meets it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "jsdpipe.cli", "check", tmp_path / "none.yaml"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"jsdpipe: error: {tmp_path / 'none.yaml'}: ")


def test_check_counts(jsdpipe, tmp_path):
    path = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path, "a red ball\na blue cube\n"))
    status, out, err = jsdpipe("check", path)
    assert (status, err) == (0, "") and "8 assets in 4 shards" in out


@pytest.mark.parametrize(("cap", "said"), [({}, "10,000 (alignment.judge.max_calls)"), ({"max_calls": None}, "no cap")])
def test_check_counts_the_calls_that_a_judge_is_paid_for(jsdpipe, tmp_path, cap, said):
    config = tiny.config(tmp_path, "a red ball\na blue cube\n")
    config["alignment"]["judge"] = {"kind": "openai", "base_url": "http://localhost/v1", "model": "m", **cap}
    path = tiny.write(tmp_path / "c.yaml", config)
    out = jsdpipe("check", path)[1]
    assert "16 calls" in out and said in out


def test_configure_reads_standard_input(jsdpipe, tmp_path, monkeypatch):
    config = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path))
    jsdpipe("configure", config, "--run", tmp_path / "file")
    with config.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert jsdpipe("configure", "-", "--run", tmp_path / "stdin")[0] == 0
    assert (tmp_path / "file/run.json").read_bytes() == (tmp_path / "stdin/run.json").read_bytes()


def test_an_empty_path_is_named(refusal):
    assert refusal("check", "").startswith("CONFIG: ")


def test_a_run_that_cannot_be_written_is_named(refusal, tmp_path):
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
        said = refusal("configure", config, "--run", folder)
        assert said.startswith(f"{folder}/run.json: ") and reason in said
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("stage", [stage.name for stage in SHARD_STAGES])
def test_a_stage_without_its_run_or_of_an_unknown_shard(jsdpipe, refusal, tmp_path, stage):
    assert "jsdpipe configure" in refusal("stage", stage, "--run", tmp_path / "none", "--shard", "jsd/single/000")
    path = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path))
    jsdpipe("configure", path, "--run", tmp_path / "run")
    assert "'../x'" in refusal("stage", stage, "--run", tmp_path / "run", "--shard", "../x")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]


@pytest.mark.parametrize("name", ["quality", "alignment", "diversity", "study"])
def test_what_the_configuration_leaves_out_is_said_and_refused(jsdpipe, refusal, tmp_path, name):
    config = tiny.config(tmp_path) | {name: None}
    path, run = tiny.write(tmp_path / "c.yaml", config), tmp_path / "run"
    assert f"without {name}\n" in jsdpipe("check", path)[1]
    jsdpipe("configure", path, "--run", run)
    shard = () if name == "study" else ("--shard", "jsd/single/000")
    assert refusal("stage", name, "--run", run, *shard).startswith(f"{run / 'run.json'}: {name}: ")
    assert [path.name for path in run.iterdir()] == ["run.json"]


@pytest.mark.parametrize("summary", [stage.name for stage in RUN_STAGES if stage.reads_all])
def test_a_summary_before_its_stages_names_the_first(jsdpipe, refusal, tmp_path, summary):
    path = tiny.write(tmp_path / "c.yaml", tiny.config(tmp_path))
    jsdpipe("configure", path, "--run", tmp_path / "run")
    assert "`jsdpipe " in refusal("stage", summary, "--run", tmp_path / "run")


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
