"""What Snakemake makes of the workflow without running it: lints, and the plan of every configuration."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import trimesh

from jsdpipe.base.validation import read_yaml
from jsdpipe.config.prompts import read_prompts
from jsdpipe.config.recipes import names
from jsdpipe.config.run_config import read_config

ROOT = Path(__file__).parent.parent.parent
T3BENCH = ROOT.parent / "shared" / "t3bench"
STAGES = ("generate", "mesh", "render", "quality", "alignment", "diversity")


def snakemake(folder, *arguments):
    """Run the real Snakemake in `folder`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", *arguments]
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)


def jobs(done):
    """The jobs of a plan, by rule."""
    assert done.returncode == 0, done.stderr
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE)}


@pytest.fixture
def folder(tmp_path):
    """A working directory with the default configuration and all prompts, those of T3Bench or stand-ins."""
    for name in ("config.yaml", "prompts", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "prompts").unlink()
    (tmp_path / "prompts").mkdir()
    for name in ("miniature", "diversity.txt"):
        (tmp_path / "prompts" / name).symlink_to(ROOT / "prompts" / name)
    if T3BENCH.is_dir():
        (tmp_path / "prompts" / "t3bench").symlink_to(T3BENCH)
    else:
        (tmp_path / "prompts" / "t3bench").mkdir()
        for part in ("single", "surr", "multi"):
            text = "".join(f"{part} prompt {number}\n" for number in range(100))
            (tmp_path / "prompts" / "t3bench" / f"prompt_{part}.txt").write_text(text)
    return tmp_path


def test_lint(folder):
    """Snakemake's only complaint: no environment a rule, because all rules share the one that Snakemake runs in."""
    done = snakemake(folder, "--lint")
    found = set(re.findall(r"^    \* (.*):$", done.stdout + done.stderr, re.MULTILINE))
    assert found == {"Specify a conda environment or container for each rule."}


def test_the_default_configuration(folder):
    plan = jobs(snakemake(folder, "-n", "--quiet", "rules", "--workflow-profile", ROOT / "workflow/profiles/default"))
    assert plan["generate"] >= 6
    # the job `render` does all scores, too
    assert plan.keys() == {"generate", "mesh", "render", "tables", "figures", "study", "report", "all", "total"}


# of each experiment, its shards. T3Bench, controlled: 11 methods, 300 prompts x 6 seeds by 12; diversity: 11 methods,
# 2 prompts; all: 11 methods, 3 sets; tuning: 11 methods, 5 settings; own meshes: 300 prompts by 12; damages: 26
# methods, 3 sets; true diversity: 3 methods, 2 prompts. Those of the miniature join the scores to the job `render`.
EXPERIMENTS = {
    "t3bench": 1650, "controlled": 1650, "diversity": 22, "miniature-all": 78, "miniature-tuning": 55, "own-meshes": 27,
    "damages": 78, "true-diversity": 6, "miniature-rules": 36,
}  # fmt: skip


@pytest.mark.slow
def test_every_experiment_on_a_cluster(folder):
    assert {path.stem for path in (ROOT / "workflow/experiments").iterdir()} == set(EXPERIMENTS)
    first = read_prompts(folder / "prompts/t3bench/prompt_single.txt")[0]
    mesh = folder / f"meshes/single/{first.id}/seed0.glb"
    mesh.parent.mkdir(parents=True)
    trimesh.creation.box().export(mesh)
    for name, shards in EXPERIMENTS.items():
        done = snakemake(
            folder, "-n", "--quiet", "rules", "--configfile", ROOT / f"workflow/experiments/{name}.yaml",
            "--workflow-profile", ROOT / "workflow/profiles/slurm",
        )  # fmt: skip
        joined = name in ("damages", "miniature-all", "miniature-rules", "miniature-tuning", "true-diversity")
        plan = jobs(done)
        assert plan.items() >= dict.fromkeys(STAGES[:3] if joined else STAGES, shards).items()
        assert ("quality" in plan) != joined


COUNTING = """
import sys
from snakemake import cli, io
hashed, plain = 0, io._IOFile.__hash__
def counted(self):
    global hashed
    hashed += 1
    return plain(self)
io._IOFile.__hash__ = counted
try:
    cli.main(sys.argv[1:])
finally:
    print("diffusers" in sys.modules, hashed)  # torch is: it checks the recipes
"""


def test_a_plan_takes_no_models_and_time_in_proportion_to_its_jobs(folder):
    """A path is hashed about 80 times a job; were a rule's files looked at in pairs, 1,500 times."""
    tiny.write(folder / "tiny.yaml", tiny.config(folder, "".join(f"prompt {number}\n" for number in range(125))))
    arguments = ("--snakefile", ROOT / "Snakefile", "-n", "--quiet", "rules", "--configfile", "tiny.yaml")
    command = [sys.executable, "-c", COUNTING, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert jobs(done)["total"] == 6 * 2 * 125 + 5
    *_, imported, hashed = done.stdout.split()
    assert imported == "False"
    assert int(hashed) < 150 * jobs(done)["total"]


@pytest.mark.parametrize("name", ["controlled", "diversity", "own-meshes"])
def test_experiments_of_the_paper_s_scale_score_alike(name):
    scale, other = (read_yaml(ROOT / f"workflow/experiments/{of}.yaml") for of in ("t3bench", name))
    for section in ("render", "quality", "alignment", "diversity"):
        assert other[section] == scale[section]


def test_the_controlled_experiment_differs_from_t3bench_s_in_its_recipes_alone():
    published, controlled = (
        read_config(ROOT / f"workflow/experiments/{name}.yaml", name) for name in ("t3bench", "controlled")
    )
    theirs, ours = (config.model_dump(exclude={"run", "report", "methods"}) for config in (published, controlled))
    assert ours == theirs
    known = {name for name in names() if name.startswith("controlled/")}
    assert {method.recipe for method in controlled.methods.values()} == known


def test_a_configuration_stands_alone_and_its_keys_can_be_overridden(folder):
    path = tiny.write(folder / "tiny.yaml", tiny.config(folder))
    done = snakemake(folder, "-n", "--configfile", path, "--config", "run=other", "seed=3")
    assert jobs(done)["generate"] == 2  # two methods, one shard: nothing of config.yaml
    assert "results/other" in done.stdout


def test_two_configurations_are_not_merged(folder):
    files = [tiny.write(folder / name, tiny.config(folder)).name for name in ("one.yaml", "two.yaml")]
    done = snakemake(folder, "-n", "--configfile", *files)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("jsdpipe: error: --configfile: one.yaml, two.yaml: ")


def test_lists_and_mappings_on_the_command_line_are_read_as_in_a_file(folder):
    path = tiny.write(folder / "tiny.yaml", tiny.config(folder, "a red ball\na blue ball\n"))
    values = ("seeds=[0, 3]", "generation={shard_assets: 4, 'batch_assets': 1}", "seed=3", "run=tiny")
    arguments = ("-n", "--quiet", "rules", "--configfile", path, "--config")
    assert jobs(snakemake(folder, *arguments, *values))["generate"] == 2  # the two prompts in a shard
    assert jobs(snakemake(folder, *arguments, "seeds=[0]"))["generate"] == 2  # as one shard has two assets
    done = snakemake(folder, *arguments, "seeds=[0, x]")
    assert (done.returncode, "seeds.1: " in done.stderr.splitlines()[-1]) == (2, True)
    done = snakemake(folder, *arguments, "seeds=[0,")
    assert (done.returncode, "--config seeds: " in done.stderr.splitlines()[-1]) == (2, True)


def test_a_mistake_is_one_line(folder):
    tiny.write(folder / "tiny.yaml", tiny.config(folder) | {"sead": 3})
    done = snakemake(folder, "-n", "--quiet", "rules", "--configfile", "tiny.yaml")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("jsdpipe: error: tiny.yaml: sead: ")
    assert "Traceback" not in done.stderr


def test_prompts_that_the_judge_cannot_read_end_the_run_before_its_first_job(folder):
    tiny.write(folder / "tiny.yaml", tiny.config(folder, 'a red ball\na "$(touch x)/../" 🍄\n'))
    arguments = ("--cores", "1", "--configfile", "tiny.yaml")
    assert jobs(snakemake(folder, "-n", "--quiet", "rules", *arguments))["generate"] == 4
    done = snakemake(folder, *arguments)
    said = f"jsdpipe: error: tiny.yaml: sets.single.file: {folder / 'prompts.txt'}: line 2: "
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(said)
    assert "Traceback" not in done.stderr
    assert not any((folder / "results").glob("*"))


def test_what_a_run_lacks_ends_it_before_its_first_job(folder, monkeypatch):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    config = tiny.config(folder)
    config["alignment"]["judge"] = {"kind": "openai", "base_url": "http://a/v1", "model": "m", "key_env": "JUDGE_KEY"}
    tiny.write(folder / "tiny.yaml", config)
    done = snakemake(folder, "--cores", "1", "--configfile", "tiny.yaml")
    assert done.returncode == 2
    assert "alignment.judge.key_env" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not any((folder / "results").glob("*"))
