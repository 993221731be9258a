"""The real Snakemake, the real models, a tiny run: from prompts to the report, again, and again elsewhere."""

import json
import multiprocessing
import os
import re
import shutil
import sys

import pytest
import tiny
from test_plans import STAGES, jobs, snakemake

from jsdpipe import cli
from jsdpipe.config.stages import RUN_STAGES
from jsdpipe.config.stages import STAGES as ALL
from jsdpipe.pipeline.run import Run

pytestmark = pytest.mark.slow

METHODS = ("jsd", "sds")


@pytest.fixture(scope="module", autouse=True)
def _no_commit():
    """A change of the source tree meanwhile is no difference between two runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_DIR", os.devnull)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished run, its configuration, and what Snakemake said."""
    folder = tmp_path_factory.mktemp("finished")
    config = tiny.config(folder)
    config["resources"] = {"generate": {"gpu": 1}}
    tiny.write(folder / "tiny.yaml", config)
    done = snakemake(folder, "--cores", "2", "--resources", "gpu=1", "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return folder, config, done.stderr


def files(run):
    """The bytes of a run's files, but of logs, measured times and views."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.relative_to(run).parts[0] not in ("logs", "benchmarks", "views")
    }


def test_every_stage_leaves_its_files(finished):
    folder, _, _ = finished
    run = Run.load(folder / "results/tiny")
    assert (run.layout.report / "index.html").read_text().startswith("<!doctype html>")
    for shard in run.shards():
        for stage in STAGES:
            manifest = json.loads(run.layout.manifest(stage, shard).read_text())
            assert len(manifest["records"]) == (1 if stage == "diversity" else 2)
            assert run.layout.benchmark(stage, shard).is_file()
            assert run.layout.log(stage, shard).is_file()
    assert not (run.folder / "views").exists()


def test_jobs_share_one_gpu(finished):
    """With --resources gpu=1, no two jobs that need one run at once."""
    _, _, said = finished
    starts = dict(re.findall(r"^Job (\d+): Generate the assets of (\S+)", said, re.MULTILINE))
    assert len(starts) == 2
    running = 0
    for line in said.splitlines():
        if found := re.match(r"Job (\d+): Generate", line):
            running += found[1] in starts
        elif found := re.match(r"Finished jobid: (\d+)", line):
            running -= found[1] in starts
        assert running <= 1


def test_a_second_run_does_nothing_and_says_so(finished):
    folder, _, _ = finished
    done = snakemake(folder, "--cores", "2", "--configfile", "tiny.yaml")
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "reruns"),
    [
        (lambda c: c["report"].update(title="New"), {}),
        (lambda c: c["methods"]["sds"]["override"].update(steps=3), dict.fromkeys(STAGES, 1)),
        (lambda c: c["mesh"].update(resolution=20), dict.fromkeys(STAGES[1:], 2)),
        (lambda c: c["sets"].update(more=c["sets"]["single"]), dict.fromkeys(STAGES, 2)),
    ],
)
def test_a_change_reruns_what_depends_on_it(finished, tmp_path, change, reruns):
    folder, config, _ = finished
    config = json.loads(json.dumps(config))
    change(config)
    plan = jobs(snakemake(folder, "-n", "--quiet", "rules", "--configfile", tiny.write(tmp_path / "c.yaml", config)))
    plan.pop("total")
    assert plan == {"tables": 1, "figures": 1, "report": 1, "all": 1} | reruns


# Each command in a process of its own, because what ran before in a process can turn the last bits of a score; forked
# from one that has imported what they need, which takes longer than what they do.
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload([stage.function.split(":")[0] for stage in ALL.values()])


def by_hand(*arguments):
    process = FORKING.Process(target=command_line, args=(["jsdpipe", *map(str, arguments)],))
    process.start()
    process.join()
    assert process.exitcode == 0, arguments


def command_line(argv):
    sys.argv = argv
    cli.main()


def test_the_same_seed_elsewhere_and_by_hand_gives_the_same_bytes(finished, tmp_path):
    folder, _, _ = finished
    run = tmp_path / "by hand"
    by_hand("configure", folder / "tiny.yaml", "--run", run)
    for stage in STAGES:
        for method in METHODS:
            by_hand("stage", stage, "--run", run, "--shard", f"{method}/single/000")
    # the tables say how long it took, as Snakemake measured it
    shutil.copytree(folder / "results/tiny/benchmarks", run / "benchmarks")
    for summary in (stage.name for stage in RUN_STAGES):
        by_hand("stage", summary, "--run", run)
    one, other = files(folder / "results/tiny"), files(run)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    assert sum(name.endswith("mesh.glb") for name in one) >= 4


def test_stages_that_one_job_does_give_the_same_bytes_and_leave_no_views(finished, tmp_path):
    """Of assets, their scores and all manifests; the report differs, because it shows the configuration."""
    folder, config, _ = finished
    joined = [stage for stage in STAGES if stage not in ("generate", "mesh")]
    tiny.write(tmp_path / "tiny.yaml", config | {"joined": joined})
    done = snakemake(tmp_path, "--cores", "2", "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    assert done.stderr.count("Render the views of") == len(METHODS)
    assert "Score the quality of" not in done.stderr
    one, other = (files(at / "results/tiny") for at in (folder, tmp_path))
    made = {name for name in one if name.split("/")[0] in ("assets", *STAGES)}
    assert made == {name for name in other if name.split("/")[0] in ("assets", *STAGES)}
    assert [name for name in made if one[name] != other[name]] == []
    run = Run.load(tmp_path / "results/tiny")
    assert all(run.layout.manifest(stage, shard).is_file() for stage in STAGES for shard in run.shards())
    assert not (run.folder / "views").exists()
    assert "Nothing to be done" in snakemake(tmp_path, "--cores", "2", "--configfile", "tiny.yaml").stderr
