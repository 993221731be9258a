"""The stage `truth`: the truth is near the truth, wrong things are not, and files and records hold what they say."""

import numpy as np
import pytest
import tiny
from safetensors.numpy import load_file

from jsdpipe.base.files import read_json, write_json
from jsdpipe.config.prompts import to_prompt
from jsdpipe.config.run_config import resolve
from jsdpipe.generation import control, truth
from jsdpipe.mesh import control as control_mesh
from jsdpipe.mesh import truth as truth_mesh
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.scoring.clouds import POINTS, Cloud
from jsdpipe.scoring.truth import FAILED, Instances, measure, score

PAIR = "a red ball and a blue cube"


@pytest.fixture(scope="module")
def instances():
    return {text: Instances.drawn(0, to_prompt(text), 8) for text in ("a red ball", "a green cactus", PAIR)}


def other(text):
    """Another scene of a prompt than the instances, as places, colors and solids."""
    (scene,) = Instances.drawn(1, to_prompt(text), 1).scenes
    return scene


def of(scene, which=slice(None)):
    return Cloud.of(scene.places[which], scene.colors[which])


@pytest.mark.parametrize("text", ["a red ball", "a green cactus", PAIR])
def test_another_scene_of_the_prompt_is_near(instances, text):
    numbers, details = measure(of(other(text)), instances[text])
    assert numbers["f_score"] > 0.8 and numbers["colored_f_score"] > 0.8
    assert numbers["chamfer"] < 0.06 and numbers["color_error"] < 12
    assert (numbers["silhouette"], numbers["parts"]) == (1, 1)
    assert details["there"] == [True] * (3 if text == PAIR else 1)


def test_another_thing_is_not(instances):
    numbers, _ = measure(of(other("a red ball")), instances["a green cactus"])
    assert numbers["f_score"] < 0.5 and numbers["colored_f_score"] < 0.05 and numbers["chamfer"] > 0.1
    assert (numbers["silhouette"], numbers["parts"]) == (0, 0)


def test_what_is_there_of_a_pair(instances):
    scene = other(PAIR)
    places = {
        "the first alone": (of(scene, scene.solids == 0), [True, False, False]),
        "in each other's color": (Cloud.of(scene.places, swapped(scene)), [False, False, False]),
        "one above the other": (Cloud.of(scene.places @ np.eye(3)[[0, 2, 1]], scene.colors), [False, False, False]),
    }
    for name, (cloud, there) in places.items():
        assert measure(cloud, instances[PAIR])[1]["there"] == there, name


def swapped(scene):
    """Each point in the color of the other thing."""
    colors = {solid: scene.colors[scene.solids == solid][0] for solid in (0, 1)}
    return np.stack([colors[1 - solid] for solid in scene.solids.tolist()])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run of the truth and of the truth in black, of which one asset failed."""
    folder = tmp_path_factory.mktemp("truth")
    config = tiny.config(folder, "a red ball\na blue donut\n") | {"truth": {"instances": 4}}
    del config["prior"]
    config["methods"] = {
        "truth": {"kind": "truth", "resolution": 48},
        "black": {"kind": "control", "of": "truth", "control": "black"},
    }
    config["generation"]["shard_assets"] = 4
    run = Run.of(resolve(config), folder / "run")
    for shard in run.shards():
        making = (truth.record, truth_mesh.build) if shard.method == "truth" else (control.record, control_mesh.convert)
        for stage in making:
            stage(run, shard)
    path = run.layout.manifest("mesh", run.shards()[1])
    manifest = read_json(path)
    manifest["records"][3] |= {"status": "failed", "reason": "no surface"}
    write_json(path, manifest)
    for shard in run.shards():
        score(run, shard)
    return run


def test_records_and_files(done):
    true, black = (read_manifest(done, "truth", shard) for shard in done.shards())
    for record in true:
        assert record["f_score"] > 0.6 and record["colored_f_score"] > 0.6 and record["reason"] is None
    for record in black[:3]:
        assert record["f_score"] > 0.6 and record["colored_f_score"] == 0 and record["color_error"] > 20
    assert {name: black[3][name] for name in FAILED} == FAILED
    assert (black[3]["status"], black[3]["reason"]) == ("failed", "no surface")
    files = [
        load_file(done.layout.asset(key) / "truth.safetensors") for shard in done.shards() for key in shard.asset_keys()
    ]
    assert ["features" in file for file in files] == [True] * 7 + [False]
    for one, same in zip(files[:4], files[4:], strict=True):  # all methods have the same instances
        np.testing.assert_array_equal(one["instances"], same["instances"])
    assert files[0]["instances"].shape == (4, len(files[0]["features"]))
    assert not np.array_equal(files[0]["instances"], files[2]["instances"])


def test_what_is_up_to_date_is_kept_and_else_made_again(done):
    shard = done.shards()[0]
    paths = [done.layout.asset(key) / "truth.json" for key in shard.asset_keys()]
    before = [path.stat().st_mtime_ns for path in paths]
    bytes_before = [path.read_bytes() for path in paths]
    paths[0].with_suffix(".safetensors").unlink()
    score(done, shard)
    after = [path.stat().st_mtime_ns for path in paths]
    assert [a != b for a, b in zip(after, before, strict=True)] == [True, False, False, False]
    assert [path.read_bytes() for path in paths] == bytes_before


def test_the_instances_are_not_the_scenes_of_the_method_truth():
    prompt = to_prompt("a red ball")
    ((shown,),) = truth_mesh.scene(0, prompt, 0)
    radius = float(shown.size[0, 0])
    radii = [np.linalg.norm(scene.places[:, :2], axis=1).max() for scene in Instances.drawn(0, prompt, 16).scenes]
    assert np.abs(np.array(radii) - radius).min() > 1e-4
    assert len(Instances.drawn(0, prompt, 1).scenes[0].places) == POINTS
