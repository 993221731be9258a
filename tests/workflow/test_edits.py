"""The real Snakemake after harmless and other edits of the package: what a finished run would do again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from test_plans import ROOT, jobs

from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run

pytestmark = pytest.mark.slow
STAGES = ("generate", "mesh", "render", "alignment")
CODE = ("jsdpipe", "workflow", "Snakefile")
SHARDS = ("jsd/single/000", "sds/single/000")


class Checkout:
    """A checkout with a run in it: whatever runs here takes the package from here."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = os.environ | {
            "PYTHONPATH": str(folder), "GIT_DIR": os.devnull,
        }  # fmt: skip

    def snakemake(self, *arguments):
        return self.python("-m", "snakemake", "--configfile", "tiny.yaml", *arguments)

    def jsdpipe(self, *arguments):
        return self.python("-m", "jsdpipe.cli", *arguments)

    def python(self, *arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def plan(self):
        """The jobs that a run would do, by rule; {} if there is nothing to be done."""
        done = self.snakemake("-n", "--quiet", "rules")
        found = jobs(done)
        assert bool(found) != ("Nothing to be done" in done.stdout + done.stderr)
        return found

    def edit(self, module, old, new):
        """Replace text in a module, given as in imports."""
        path = self.folder.joinpath(*module.split(".")).with_suffix(".py")
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    @property
    def run(self):
        return Run.load(self.folder / "results/tiny")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "checkout"
    folder.mkdir()
    for name in CODE:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / name, **({"ignore": shutil.ignore_patterns("__pycache__")} if source.is_dir() else {}))
    config = tiny.config(folder)
    config["sets"]["single"]["file"] = "prompts.txt"
    del config["quality"], config["diversity"]
    tiny.write(folder / "tiny.yaml", config)
    checkout = Checkout(folder)
    done = checkout.snakemake("--cores", "2")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return checkout


@pytest.fixture
def moved(finished, tmp_path):
    """The finished run in another place."""
    return Checkout(shutil.copytree(finished.folder, tmp_path / "elsewhere", symlinks=True))


def test_a_checkout_that_was_moved_has_nothing_to_do(moved):
    assert moved.plan() == {}


def test_harmless_edits_have_nothing_to_do(moved):
    """All of them at once, because a plan takes some seconds."""
    moved.edit("jsdpipe.objectives.jsd", '"""Jensen-Shannon', '"""The Jensen-Shannon')
    moved.edit("jsdpipe.generation.outcome", "\nRECORDS = ", "\n# how many\nRECORDS = ")
    moved.edit("jsdpipe.mesh.mesh_files", "list(shard.assets()), []", "list(shard.assets()), [ ]")
    moved.edit("jsdpipe.base.progress", "import sys\n", "import sys\n\nX = 1\n")
    moved.edit("jsdpipe.render.moderngl", "import os\n", "import os\n\nX = 1\n")  # which the run does not use
    moved.edit("jsdpipe.models.captioners.blip2", "import UserError\n", "import UserError\n\nX = 1\n")
    (moved.folder / "jsdpipe/objectives/mine.py").write_text("class Mine: ...\n")
    for path in (moved.folder / "jsdpipe").rglob("*.*"):
        os.utime(path)
    assert moved.plan() == {}


def upgrade(at, library):
    """Have the version of a library read otherwise."""
    (at.folder / "sitecustomize.py").write_text(
        "import importlib.metadata as of\n"
        "plain = of.version\n"
        f"of.version = lambda name: '99' if name == {library!r} else plain(name)\n"
    )


def test_a_library_counts_for_those_stages_alone_that_import_it(moved):
    upgrade(moved, "moderngl")
    assert moved.plan() == {}
    upgrade(moved, "matplotlib")
    assert moved.plan() == {"figures": 1, "study": 1, "report": 1, "all": 1, "total": 4}


SUMMARIES = {"tables": 1, "figures": 1, "report": 1, "all": 1}


def test_a_formula_counts_for_its_method_alone(moved):
    """And for the study, which compares all objectives; one that no method has, for the study alone."""
    moved.edit("jsdpipe.objectives.csd", "from_gradient(per_item", "from_gradient(1 * per_item")
    assert moved.plan() == {"study": 1, "report": 1, "all": 1, "total": 3}
    moved.edit("jsdpipe.objectives.sds", "from_gradient(per_item", "from_gradient(1 * per_item")
    plan = moved.plan()
    assert plan.pop("total") == sum(plan.values())
    assert plan == dict.fromkeys(STAGES, 1) | SUMMARIES | {"study": 1}


def test_accepted_code_has_nothing_to_do_and_is_noted(moved):
    assert "nothing to accept" in moved.jsdpipe("accept", "tiny").stdout
    moved.edit("jsdpipe.objectives.base", "import torch\n", "import torch\n\nUNUSED = 1\n")
    moved.edit("jsdpipe.mesh.topology", "import numpy as np\n", "import numpy as np\n\nUNUSED = 1\n")
    assert moved.plan()["mesh"] == 2
    before = {shard: read_provenance(moved, "mesh", shard) for shard in SHARDS}
    done = moved.jsdpipe("accept", "tiny")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "generate of jsd, sds: jsdpipe.objectives.base" in lines
    assert "mesh of jsd, sds: jsdpipe.mesh.topology" in lines
    assert any(line.startswith("study: ") for line in lines)
    assert moved.plan() == {}
    assert "nothing to accept" in moved.jsdpipe("accept", moved.folder / "results/tiny").stdout
    accepted = json.loads((moved.folder / "results/tiny/accepted.json").read_text())
    (of_mesh,) = (one for one in accepted if one["stage"] == "mesh")
    assert of_mesh["shards"] == [*SHARDS]
    assert {of_mesh["stands_for"]} == {before[shard]["code"]["mesh"] for shard in SHARDS}
    # a shard that is made again says what was accepted, and its assets are kept
    manifest = moved.run.layout.manifest("mesh", moved.run.shard(SHARDS[0]))
    asset = next((moved.folder / "results/tiny/assets/jsd").rglob("mesh.json"))
    stamp = asset.stat().st_mtime_ns
    (moved.folder / manifest).unlink()
    done = moved.jsdpipe("stage", "mesh", "--run", "results/tiny", "--shard", SHARDS[0])
    assert done.returncode == 0, done.stderr
    assert read_provenance(moved, "mesh", SHARDS[0])["accepted"] == {"mesh": of_mesh["code"]}
    assert asset.stat().st_mtime_ns == stamp


def read_provenance(at, stage, shard):
    run = at.run
    read_manifest(run, stage, run.shard(shard))
    return json.loads(run.layout.manifest(stage, run.shard(shard)).read_text())["provenance"]


def test_what_was_never_made_is_made_by_today_s_code(moved):
    shutil.rmtree(moved.folder / "results/tiny/alignment/jsd")
    moved.edit("jsdpipe.base.seeding", "import json\n", "import json\n\nUNUSED = 1\n")
    assert moved.jsdpipe("accept", "results/tiny").returncode == 0
    accepted = json.loads((moved.folder / "results/tiny/accepted.json").read_text())
    found = {(one["stage"], shard) for one in accepted for shard in one["shards"]}
    assert {("generate", SHARDS[0]), ("generate", SHARDS[1]), ("captions", SHARDS[1])} < found
    assert ("captions", SHARDS[0]) not in found
    assert moved.plan()["alignment"] == 1


def test_a_folder_without_a_run_is_refused(tmp_path):
    done = Checkout(Path(ROOT)).jsdpipe("accept", tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
