"""Controls: other methods' meshes for the wrong prompt, in black or damaged; failures are inherited."""

import shutil

import numpy as np
import pytest
import tiny
import trimesh
from PIL import Image
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from jsdpipe.base.files import read_json
from jsdpipe.config.run_config import resolve
from jsdpipe.generation import control, external
from jsdpipe.generation import truth as generation_of_truth
from jsdpipe.mesh import control as mesh_of_control
from jsdpipe.mesh import external as mesh_of_external
from jsdpipe.mesh import glb, truth
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.dependencies import Dependencies
from jsdpipe.render.stage import ALL_BLACK, render

RESOLUTION = 24
METHODS = {
    "theirs": {"kind": "external", "path": "{line}-{seed}.glb"},
    "wrong": {"kind": "control", "of": "theirs", "control": "wrong-prompt"},
    "black": {"kind": "control", "of": "theirs", "control": "black"},
    "tilted": {"kind": "control", "of": "theirs", "control": "tilted", "dose": 90},
    "holes": {"kind": "control", "of": "theirs", "control": "holes", "dose": 0.5},
    "truth": {"kind": "truth", "resolution": RESOLUTION},
    "not-true": {"kind": "control", "of": "truth", "control": "wrong-prompt"},
}
GREEN = PBRMaterial(baseColorTexture=Image.fromarray(np.full((8, 8, 3), (20, 200, 20), np.uint8)))


def config(folder):
    """Boxes as deep as their line and as high as their seed + 1, textured; the box of line 2 and seed 1 is missing."""
    of = tiny.config(folder, "a red ball\na blue cube\na green tree\n")
    del of["prior"]
    of["sets"]["single"]["limit"] = 2
    for line in (1, 2):
        for seed in (0, 1):
            mesh = trimesh.creation.box((1 + seed, 1, line))  # up is y in the file
            mesh.visual = TextureVisuals(mesh.vertices[:, :2], material=GREEN)
            mesh.export(folder / f"{line}-{seed}.glb")
    (folder / "2-1.glb").unlink()
    return of | {"methods": METHODS}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("controls")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run = Run.of(resolve(config(folder)), folder / "run")
        run.save()
        stages = {
            "external": (external.collect, mesh_of_external.convert),
            "truth": (generation_of_truth.record, truth.build),
            "control": (control.record, mesh_of_control.convert),
        }
        for shard in run.shards():
            for stage in (*stages[run.config.methods[shard.method].kind], render):
                stage(run, shard)
    return run


def mesh(run, method, prompt, seed=0):
    shard = next(shard for shard in run.shards() if shard.method == method)
    return glb.load(run.layout.asset(shard.key(prompt.id, seed)) / "mesh.glb")


def records(run, stage, method):
    return [each for shard in run.shards() if shard.method == method for each in read_manifest(run, stage, shard)]


def test_the_wrong_prompt_s_mesh_is_the_other_s_and_the_record_says_which(done):
    first, second = done.prompts["single"]
    for shown, prompt in ((first, second), (second, first)):
        expected, found = mesh(done, "theirs", shown), mesh(done, "wrong", prompt)
        np.testing.assert_array_equal(found.vertices, expected.vertices)
        np.testing.assert_array_equal(found.textures[0].pixels, expected.textures[0].pixels)
    notes = [" ".join(record["notes"]) for record in records(done, "generate", "wrong")]
    assert "'a blue cube'" in notes[0] and "'a red ball'" in notes[3]


def test_black_meshes_have_the_shape_and_no_color(done):
    first, _ = done.prompts["single"]
    found = mesh(done, "black", first, 1)
    np.testing.assert_allclose(np.ptp(found.vertices, axis=0), np.ptp(mesh(done, "theirs", first, 1).vertices, axis=0))
    assert not found.colors.any() and not found.textures
    assert records(done, "render", "black")[0]["notes"] == [ALL_BLACK]
    assert records(done, "render", "theirs")[0]["notes"] == []


def test_what_is_made_from_a_failed_asset_fails_with_its_reason(done):
    first, second = done.prompts["single"]
    for method, failed in (("wrong", (first.id, 1)), ("black", (second.id, 1))):
        for stage in ("generate", "mesh", "render"):
            bad = {(each["prompt_id"], each["seed"]): each["reason"] for each in records(done, stage, method)}
            bad = {key: reason for key, reason in bad.items() if reason}
            assert list(bad) == [failed]
            assert f"theirs/single/{second.id}/seed1: 2-1.glb: " in bad[failed]


def test_the_wrong_truth_is_of_the_next_prompt_limits_aside(done):
    """The second prompt's is of the third, which is beyond the limit."""
    first, second = done.prompts["single"]
    (third,) = done.beyond["single"]
    for shown, prompt in ((second, first), (third, second)):
        expected = truth.surface(truth.scene(0, shown, 1), RESOLUTION)
        found = mesh(done, "not-true", prompt, 1)
        np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-6)
        np.testing.assert_array_equal(found.colors, expected.colors)


def test_a_run_on_disk_keeps_what_controls_show(done):
    loaded = Run.load(done.folder)
    assert (loaded.prompts, loaded.beyond) == (done.prompts, done.beyond)


def test_meshes_are_kept_until_what_they_are_made_from_changes(done, tmp_path):
    copy = shutil.copytree(done.folder, tmp_path / "run")
    run = Run.load(copy)
    shard = run.shard("black/single/000")
    files = [run.layout.asset(key) / "mesh.glb" for key in shard.asset_keys()]
    before = [file.stat().st_mtime_ns for file in files]
    mesh_of_control.convert(run, shard)
    assert [file.stat().st_mtime_ns for file in files] == before
    source = run.layout.asset(shard.key(run.prompts["single"][0].id, 0)._replace(method="theirs")) / "mesh.glb"
    surface = glb.load(source)
    glb.save(surface.at(surface.vertices * 2), source)
    mesh_of_control.convert(run, shard)
    assert [file.stat().st_mtime_ns != old for file, old in zip(files, before, strict=True)] == [True, False]


def test_a_control_s_jobs_follow_its_method_s_meshes_and_settings(done, monkeypatch):
    assert {name: [of.name for of in shard_of(done, name)] for name in METHODS} == {
        "theirs": [],
        "wrong": ["theirs/single/001"],
        "black": ["theirs/single/000"],
        "tilted": ["theirs/single/000"],
        "holes": ["theirs/single/000"],
        "truth": [],
        "not-true": [],
    }
    monkeypatch.chdir(done.folder.parent)
    before = digests(done)
    turned = done.config.methods["theirs"].model_copy(update={"front": "x"})
    finer = done.config.methods["truth"].model_copy(update={"resolution": RESOLUTION + 1})
    of_theirs = {"wrong", "black", "tilted", "holes"}
    for name, other, touched in (("theirs", turned, of_theirs), ("truth", finer, {"not-true"})):
        changed = done.config.model_copy(update={"methods": done.config.methods | {name: other}})
        after = digests(Run(done.folder, changed, {}, done.prompts, done.beyond))
        assert {key for key in before if before[key] != after[key]} == touched


def test_a_dose_counts_for_meshes_alone_and_the_run_s_seed_for_holes_alone(done, monkeypatch):
    monkeypatch.chdir(done.folder.parent)
    steeper = done.config.methods["tilted"].model_copy(update={"dose": 45.0})
    dosed = done.config.model_copy(update={"methods": done.config.methods | {"tilted": steeper}})
    seeded = done.config.model_copy(update={"seed": 7})
    before, *after = (
        {
            stage: digests(Run(done.folder, config, {}, done.prompts, done.beyond), stage)
            for stage in ("generate", "mesh")
        }
        for config in (done.config, dosed, seeded)
    )
    changed = [{key for key in before["mesh"] if before["mesh"][key] != of["mesh"][key]} for of in after]
    assert changed == [{"tilted"}, {"truth", "holes"}]
    assert after[0]["generate"] == before["generate"]


def test_damages_reach_the_meshes(done):
    first, _ = done.prompts["single"]
    places = mesh(done, "theirs", first, 1).vertices
    np.testing.assert_allclose(np.ptp(places, axis=0), (1, 2, 1), atol=1e-6)
    np.testing.assert_allclose(np.ptp(mesh(done, "tilted", first, 1).vertices, axis=0), (1, 1, 2), atol=1e-6)
    numbers = records(done, "mesh", "holes")
    assert [each["watertight"] for each in numbers if not each["reason"]] == [False] * 3
    one, other = (mesh(done, "holes", first, seed).vertices for seed in (0, 1))
    assert one.shape != other.shape or (one[:, :2] != other[:, :2]).any()


def test_the_truth_without_a_part_is_where_it_was(tmp_path, monkeypatch):
    """The first is in red, what is left out in blue or green."""
    monkeypatch.chdir(tmp_path)
    texts = ["a red ball and a blue cube", "a red ball on a blue cube", "a red ball on green grass", "a red ball"]
    of = tiny.config(tmp_path, "\n".join(texts)) | {"seeds": [0], "generation": {"shard_assets": 4}}
    del of["prior"]
    less = {"kind": "control", "of": "truth", "control": "left-out"}
    run = Run.of(resolve(of | {"methods": {"truth": METHODS["truth"], "less": less}}), tmp_path / "run")
    for shard, (first, then) in zip(
        run.shards(),
        ((generation_of_truth.record, truth.build), (control.record, mesh_of_control.convert)),
        strict=True,
    ):
        first(run, shard)
        then(run, shard)
    for prompt in run.prompts["single"][:3]:
        whole, left = mesh(run, "truth", prompt), mesh(run, "less", prompt)
        is_red = whole.colors[:, 0] > whole.colors[:, 1:].max(axis=1)
        assert 0 < is_red.sum() < len(is_red) and (left.colors[:, 0] > left.colors[:, 1:].max(axis=1)).all()
        # where the things touch, the whole has no surface
        np.testing.assert_allclose(left.vertices[:, 2].max(), whole.vertices[is_red, 2].max(), atol=1e-6)
        assert left.vertices[:, 1].min() == pytest.approx(whole.vertices[is_red, 1].min())
    single = run.prompts["single"][3]
    np.testing.assert_array_equal(mesh(run, "less", single).vertices, mesh(run, "truth", single).vertices)
    assert [bool(each["notes"]) for each in records(run, "generate", "less")] == [False] * 3 + [True]


def shard_of(run, method):
    """The shards that the method's first shard is made from."""
    return run.config.methods[method].made_from(run, run.shard(f"{method}/single/000"))


def digests(run, stage="generate"):
    of = Dependencies(run)
    return {name: of.digest(stage, run.shard(f"{name}/single/000")) for name in METHODS}


def test_a_stage_by_hand_says_which_mesh_is_missing(done, tmp_path, refusal):
    run = Run.load(shutil.copytree(done.folder, tmp_path / "run"))
    missing = run.layout.manifest("mesh", "theirs/single/000")
    missing.unlink()
    said = refusal("stage", "generate", "--run", run.folder, "--shard", "black/single/000")
    assert said.startswith(f"{missing}: ") and "--shard theirs/single/000" in said
    assert read_json(run.layout.manifest("generate", "black/single/000"))["records"]
