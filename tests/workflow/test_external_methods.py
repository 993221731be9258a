"""The real Snakemake over meshes that lie somewhere: two methods without a prior, one file broken, and a report."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import tiny
import trimesh
from PIL import Image
from test_plans import STAGES, jobs, snakemake
from trimesh.visual.material import PBRMaterial, SimpleMaterial
from trimesh.visual.texture import TextureVisuals

from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run

pytestmark = pytest.mark.slow

SKIN = np.full((8, 8, 3), (200, 20, 20), np.uint8)


def ball(material, scale=1.0):
    """A textured ball."""
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=scale)
    mesh.visual = TextureVisuals(uv=mesh.vertices[:, :2] / 2 + 0.5, material=material)
    return mesh


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished run, and what Snakemake said."""
    folder = tmp_path_factory.mktemp("external")
    (folder / "glb").mkdir()
    for seed in (0, 1):
        ball(PBRMaterial(baseColorTexture=Image.fromarray(SKIN)), 1 + seed).export(folder / f"glb/1-{seed}.glb")
        target = folder / f"obj/a_red_ball@{seed}"
        target.mkdir(parents=True)
        ball(SimpleMaterial(image=Image.fromarray(SKIN), diffuse=(255, 255, 255))).export(target / "model.obj")
        assert {path.suffix for path in target.iterdir()} == {".obj", ".mtl", ".png"}
    (folder / "glb/1-1.glb").write_bytes(b"glTF, they said")
    config = tiny.config(folder, "a red ball\n")
    del config["prior"], config["study"]
    config["methods"] = {
        "theirs": {"kind": "external", "path": "glb/{line}-{seed}.glb"},
        "others": {"kind": "external", "path": "obj/{underscored}@{seed}/model.obj", "label": "Others"},
    }
    tiny.write(folder / "tiny.yaml", config)
    done = snakemake(folder, "--cores", "2", "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    (folder / "said.txt").write_text(done.stdout)
    (folder / "log.txt").write_text(done.stderr)
    return folder


def records(folder, stage, method):
    run = Run.load(folder / "results/tiny")
    return read_manifest(run, stage, run.shard(f"{method}/single/000"))


def test_the_run_ends_in_a_report_with_the_broken_mesh_s_reason(finished):
    report = finished / "results/tiny/report"
    index = (report / "index.html").read_text()
    assert "Text-to-image prior" not in index and "1 failed" in index
    assert "glb/1-1.glb: " in index
    assert "obj/{underscored}@{seed}/model.obj" in index
    page = next((report / "prompts/single").iterdir()).read_text()
    assert "mesh.glb" in page and "preview.png" not in page


def test_the_last_lines_name_the_broken_mesh(finished):
    counted, named, report = (finished / "said.txt").read_text().splitlines()[-3:]
    assert re.match("1 of 4 .*: 1 at mesh$", counted)
    assert re.match(r"  mesh theirs/single/a-red-ball-\w+/seed1: glb/1-1.glb: ", named)
    assert report.endswith("results/tiny/report/index.html")


def test_the_log_follows_the_whole_run(finished):
    *_, last = re.findall(r"^run: (\d+)/(\d+) jobs, .*", (finished / "log.txt").read_text(), re.MULTILINE)
    assert last == ("16", "16")  # six stages by two methods, and four others


def test_a_run_says_first_what_it_replaces_and_in_the_end_that_it_broke(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    (folder / "results/tiny/mesh/others/single/000.json").write_text("broken")
    done = snakemake(folder, "--cores", "1", "--configfile", "tiny.yaml", "--config", "render={size: 24}")
    assert done.returncode == 1
    assert re.search(r"results/tiny .*4 assets.*render\.size \(32 -> 24\)", done.stderr)
    said = done.stdout.splitlines()
    assert re.match("1 of 4 .*: 1 at mesh$", said[-3])
    assert said[-1].startswith("results/tiny is not finished")


def test_the_broken_mesh_has_the_protocol_s_floor(finished):
    good, broken = records(finished, "quality", "theirs")
    assert (good["status"], broken["status"]) == ("ok", "failed")
    assert broken["quality"] == pytest.approx(20 * broken["reward_mean"] + 50)  # of black images, all alike
    assert good["quality"] > broken["quality"]
    assert records(finished, "alignment", "theirs")[1]["alignment"] == 0


def test_the_same_ball_of_both_kinds_of_file_scores_the_same(finished):
    """GLB with a texture, and OBJ with MTL and image; up to the axes of the kinds, and to single precision."""
    one, other = (records(finished, "mesh", method)[0] for method in ("theirs", "others"))
    assert {key: one[key] for key in ("vertices", "faces", "watertight")} == {
        key: other[key] for key in ("vertices", "faces", "watertight")
    }
    captions = [records(finished, "alignment", method)[0]["caption"] for method in ("theirs", "others")]
    assert all("red" in caption for caption in captions), captions


def test_an_older_file_in_the_place_of_a_mesh_is_scored(finished):
    """As `cp -p`, rsync and unzip bring it."""
    mesh = finished / "glb/1-0.glb"
    ball(PBRMaterial(baseColorTexture=Image.fromarray(SKIN[..., ::-1]))).export(mesh)
    os.utime(mesh, (10**9, 10**9))
    before = records(finished, "quality", "theirs")[0]["quality"]
    done = snakemake(finished, "--cores", "2", "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    assert records(finished, "quality", "theirs")[0]["quality"] < before  # the ball is blue now


def test_a_changed_file_reruns_its_shard_alone(finished):
    plan = ("-n", "--quiet", "rules", "--configfile", "tiny.yaml")
    done = snakemake(finished, *plan)
    assert "Nothing to be done" in done.stdout + done.stderr
    mtl = next((finished / "obj/a_red_ball@0").glob("*.mtl"))
    mtl.write_text(mtl.read_text() + "# changed\n")
    found = jobs(snakemake(finished, *plan))
    assert {stage: found.get(stage) for stage in STAGES} == dict.fromkeys(STAGES, 1)


def test_without_any_mesh_the_first_expected_path_is_named(finished, tmp_path):
    config = json.loads((finished / "tiny.yaml").read_text())
    config["methods"]["others"]["path"] = "nowhere/{seed}.obj"
    done = snakemake(finished, "-n", "--configfile", tiny.write(tmp_path / "c.yaml", config))
    assert done.returncode == 2
    assert re.search(r"methods\.others: path: .*nowhere/0\.obj", done.stderr.splitlines()[-1])
