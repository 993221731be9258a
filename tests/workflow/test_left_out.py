"""The real Snakemake with sections of the configuration left out: their rules, views and tables are not there."""

import pytest
import tiny
import trimesh
from test_plans import jobs, snakemake

from jsdpipe.base.errors import UserError
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.render.view_archive import ViewArchive


def little(tmp_path, scores):
    """Write `little.yaml`, a run of one mesh with these scores alone; returns the rules that a plan has for them."""
    trimesh.creation.icosphere(subdivisions=1).export(tmp_path / "ball.glb")
    whole = tiny.config(tmp_path, "a red ball\n")
    config = {
        "run": "little", "seeds": [0], "sets": whole["sets"],
        "methods": {"mine": {"kind": "external", "path": "ball.glb"}},
        "render": {"size": 16, "quality": whole["render"]["quality"], "keep_views": True},
        **{name: whole[name] for name in scores},
        "report": {"turntable_views": 4},
    }  # fmt: skip
    tiny.write(tmp_path / "little.yaml", config | {"study": None})
    plan = jobs(snakemake(tmp_path, "-n", "--quiet", "rules", "--configfile", "little.yaml"))
    return plan.keys() - {"total", "generate", "mesh", "render", "tables", "figures", "report", "all"}


def test_a_run_of_meshes_may_score_nothing(tmp_path):
    assert little(tmp_path, ()) == set()


@pytest.mark.slow
def test_a_run_of_meshes_that_scores_little(tmp_path):
    assert little(tmp_path, ("quality",)) == {"quality"}
    done = snakemake(tmp_path, "--cores", "1", "--configfile", "little.yaml")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    run = Run.load(tmp_path / "results/little")
    (shard,) = run.shards()
    (prompt,) = shard.prompts
    assert [record["status"] for record in read_manifest(run, "render", shard)] == ["ok"]
    counts = {}
    for rig in ("quality", "alignment", "diversity"):
        try:
            counts[rig] = len(ViewArchive(run.layout.views(shard, prompt.id, 0), rig))
        except UserError as error:
            assert rig in str(error)
    assert counts == {"quality": 12}
    assert (run.layout.report / "index.html").is_file()
    assert not run.layout.study.exists()
    again = snakemake(tmp_path, "-n", "--configfile", "little.yaml")
    assert "Nothing to be done" in again.stdout + again.stderr
