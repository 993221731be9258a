"""The real Snakemake makes a control after the meshes that it is made from, and again when they change."""

import pytest
import tiny
import trimesh
from test_plans import jobs, snakemake

pytestmark = pytest.mark.slow


def test_a_control_follows_its_method_s_meshes(tmp_path):
    config = tiny.config(tmp_path, "a red ball\na blue cube\n")
    del config["prior"], config["study"]
    config["methods"] = {
        "wrong": {"kind": "control", "of": "theirs", "control": "wrong-prompt"},
        "theirs": {"kind": "external", "path": "{line}-{seed}.ply"},
    }
    config["generation"]["shard_assets"] = 4
    for name in ("1-0", "1-1", "2-0", "2-1"):
        trimesh.creation.box().export(tmp_path / f"{name}.ply")
    tiny.write(tmp_path / "tiny.yaml", config)
    meshes = ("--configfile", "tiny.yaml", "--omit-from", "render")
    done = snakemake(tmp_path, "--cores", "2", *meshes)
    assert done.returncode == 0, done.stderr[-2000:]
    made = [(tmp_path / f"results/tiny/mesh/{method}/single/000.json").is_file() for method in config["methods"]]
    assert made == [True, True]
    plan = ("-n", *meshes, "--quiet", "rules")
    assert jobs(snakemake(tmp_path, *plan)) == {}
    trimesh.creation.box((1, 2, 1)).export(tmp_path / "1-0.ply")
    planned = jobs(snakemake(tmp_path, *plan))
    assert (planned["generate"], planned["mesh"]) == (2, 2)
