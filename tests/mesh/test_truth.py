"""The method `truth`: meshes of the miniature world's own scenes, in its frame, size and colors."""

import numpy as np
import pytest
import tiny

from jsdpipe.base.files import read_json
from jsdpipe.config.prompts import to_prompt
from jsdpipe.config.run_config import resolve
from jsdpipe.generation.truth import record
from jsdpipe.mesh import glb
from jsdpipe.mesh.topology import is_watertight, merged
from jsdpipe.mesh.truth import BOUND, build, scene, surface
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.render.stage import render

RED, BLUE = (0.85, 0.10, 0.10), (0.10, 0.25, 0.85)  # of the world's palette
VARIED = 0.04 + 0.08 * 0.95  # by a tint, and by a brightness that multiplies at most yellow's red
RESOLUTION = 32
STEP = 2 * BOUND / (RESOLUTION - 1)


def drawn(text, seed=0):
    return surface(scene(0, to_prompt(text), seed), RESOLUTION)


def near(colors, color):
    """Which of the 8-bit colors (N, 3) are a color of the palette, varied."""
    return np.abs(colors / 255 - color).max(axis=1) <= VARIED + 1 / 255


def test_a_ball_has_the_radius_and_the_color_that_were_drawn():
    ((ball,),) = scene(0, to_prompt("a red ball"), 3)
    radius = float(ball.size[0, 0])
    assert 0.58 <= radius <= 0.74
    mesh = drawn("a red ball", 3)
    assert np.linalg.norm(mesh.vertices[:, :2], axis=1).max() == pytest.approx(radius, abs=STEP / 4)
    assert abs(np.ptp(mesh.vertices, axis=0)[:2] / 2 - radius).max() < STEP / 4
    assert near(mesh.colors, RED).all()
    np.testing.assert_array_equal(mesh.colors[0], (ball.color[0].numpy() * 255).round())


def test_seeds_draw_the_color_that_a_prompt_does_not_name():
    colors = [drawn("a ball", seed).colors[0] for seed in range(6)]
    assert len(np.unique(np.round(np.array(colors) / 255, 1), axis=0)) > 2


def test_the_first_of_two_things_is_on_the_left_seen_from_the_front():
    """From +x with z up, the left is -y."""
    mesh = drawn("a red ball and a blue cube")
    left = mesh.vertices[:, 1] < 0
    assert near(mesh.colors[left], RED).all() and near(mesh.colors[~left], BLUE).all()


def test_what_stands_on_another_thing_is_above_it_and_a_car_is_longest_along_x():
    mesh = drawn("a red ball on a blue cube")
    red = near(mesh.colors, RED)
    assert mesh.vertices[red, 2].min() >= mesh.vertices[~red, 2].max() - STEP
    assert np.argmax(np.ptp(drawn("a red car").vertices, axis=0)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_lowest_scene_is_whole(seed):
    mesh = drawn("a white snowman on a grey rock", seed)
    assert np.abs(mesh.vertices).max() < BOUND - STEP / 2
    assert is_watertight(merged(mesh))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run of two methods with the same truths."""
    folder = tmp_path_factory.mktemp("truth")
    config = tiny.config(folder, "a red ball\n")
    del config["prior"]
    truth = {"kind": "truth", "resolution": RESOLUTION}
    run = Run.of(resolve(config | {"methods": {"truth": truth, "same": truth}}), folder / "run")
    for shard in run.shards():
        for stage in (record, build, render):
            stage(run, shard)
    return run


def test_the_stages_make_the_same_files_as_of_any_method(done):
    prompt = done.prompts["single"][0]
    for shard in done.shards():
        for seed in (0, 1):
            folder = done.layout.asset(shard.key(prompt.id, seed))
            assert read_json(folder / "asset.json")["status"] == "ok"
            assert (folder / "turntable.webp").is_file()
            expected = surface(scene(0, prompt, seed), RESOLUTION)
            np.testing.assert_allclose(glb.load(folder / "mesh.glb").vertices, expected.vertices, atol=1e-6)
        assert [each["components"] for each in read_manifest(done, "mesh", shard)] == [1, 1]


def test_an_instance_depends_on_the_seed_and_not_on_the_method_s_name(done):
    one, other = (list(shard.asset_keys()) for shard in done.shards())
    content = {key: (done.layout.asset(key) / "mesh.glb").read_bytes() for key in (*one, *other)}
    assert [content[key] for key in one] == [content[key] for key in other]
    assert content[one[0]] != content[one[1]]


def test_a_mesh_is_kept_until_its_resolution_changes(done):
    shard = done.shards()[0]
    mesh = done.layout.asset(next(shard.asset_keys())) / "mesh.glb"
    before = mesh.stat().st_mtime_ns
    build(done, shard)
    assert mesh.stat().st_mtime_ns == before
    finer = done.config.methods["truth"].model_copy(update={"resolution": RESOLUTION + 1})
    config = done.config.model_copy(update={"methods": done.config.methods | {"truth": finer}})
    build(Run(done.folder, config, {}, done.prompts), shard)
    assert mesh.stat().st_mtime_ns > before
