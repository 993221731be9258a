"""The stages `mesh` and `render` on a small run: files, records, failures, what is kept, same bytes."""

from dataclasses import replace

import numpy as np
import pictures
import pytest
import scored_run
from PIL import Image

from jsdpipe.base.files import read_json, write_json
from jsdpipe.mesh import glb
from jsdpipe.mesh.reading import read
from jsdpipe.mesh.stage import extract
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.render.stage import render
from jsdpipe.render.view_archive import read_comment, read_views


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    run, shard = scored_run.make(tmp_path_factory.mktemp("run") / "balls")
    extract(run, shard)
    render(run, shard)
    return run, shard


def _files(run):
    return {
        path.relative_to(run.folder).as_posix(): path
        for path in sorted(run.folder.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "prompts.txt")
    }


def test_meshes_are_the_balls(done):
    run, shard = done
    records = read_manifest(run, "mesh", shard)
    assert [r["status"] for r in records] == ["ok", "ok", "failed", "ok", "failed", "ok"]
    for record in records:
        folder = run.layout.asset(shard.key(record["prompt_id"], record["seed"]))
        assert (folder / "mesh.glb").exists() == (record["status"] == "ok")
        if record["status"] == "ok":
            mesh = glb.load(folder / "mesh.glb")
            np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), scored_run.RADIUS, atol=0.01)
            red_or_blue = (252, 3, 3) if "red" in record["prompt"] else (3, 3, 252)
            front = mesh.vertices[:, 0] > 0.1
            assert np.abs(mesh.colors[front].astype(int) - red_or_blue).max() <= 2
            assert (record["vertices"], record["faces"]) == (len(mesh.vertices), len(mesh.faces))
            assert record["watertight"] is True and record["components"] == 1


def test_a_shard_whose_assets_all_failed_leaves_the_folder_that_the_workflow_waits_for(tmp_path):
    run, shard = scored_run.make(tmp_path / "run")
    path = run.layout.manifest("generate", shard)
    manifest = read_json(path)
    for record in manifest["records"]:
        record |= {"status": "failed", "reason": "burnt"}
    write_json(path, manifest)
    extract(run, shard)
    render(run, shard)
    assert list(run.layout.views_folder(shard).iterdir()) == []
    assert {record["reason"] for record in read_manifest(run, "render", shard)} == {"burnt"}


def test_failures_say_why_and_stay(done):
    run, shard = done
    for stage in ("mesh", "render"):
        records = read_manifest(run, stage, shard)
        assert records[2]["reason"] == "not finite at step 7"
        assert "density" in records[4]["reason"]
    kept = read_json(run.layout.asset(shard.key(records[4]["prompt_id"], 1)) / "mesh.json")
    assert kept["reason"] == records[4]["reason"]
    assert not run.layout.views(shard, records[4]["prompt_id"], 1).exists()


def test_views_show_the_ball_from_everywhere(done):
    run, shard = done
    record = read_manifest(run, "render", shard)[0]
    views = run.layout.views(shard, record["prompt_id"], record["seed"])
    # by T3Bench the ball's radius is 1; seen from distance d at fovy f it covers pi/4 (tan(asin(1/d)) / tan(f/2))^2
    for rig, count, distance, fovys in (
        ("quality", 24, 2.2, (60, 30)),
        ("alignment", 12, 2.4, (60,)),
        ("diversity", 5, 1.0, (90,)),  # the inscribed circle: pi / 4
    ):
        shown = read_views(views, rig)
        assert shown.shape == (count, 32, 32, 3)
        assert (shown[..., 1:] < 10).all()
        red = (shown[..., 0] > 200).mean(axis=(1, 2))
        for i, fovy in enumerate(fovys):
            half = np.tan(np.radians(fovy) / 2)
            circle = np.tan(np.arcsin(1 / distance)) / half if rig != "diversity" else 1.0
            expected = np.pi / 4 * circle**2 if circle <= 1 else 1.0
            np.testing.assert_allclose(red[i :: len(fovys)], expected, atol=0.03)


def test_turntable_turns_once_from_the_front(done):
    run, shard = done
    path = run.layout.asset(shard.key(shard.prompts[0].id, 1)) / "turntable.webp"
    with Image.open(path) as picture:
        assert picture.n_frames == 4
        for frame, greens in ((0, (0, 0)), (1, (0, 255)), (2, (255, 255)), (3, (255, 0))):
            picture.seek(frame)
            pixels = np.asarray(picture.convert("RGB")).astype(int)
            # red in front (+x), white behind; from azimuth 90 (+y) the front is to the left
            assert np.abs(pixels[80, [50, 110], 0] - 253).max() < 12
            assert np.abs(pixels[80, [50, 110], 1] - greens).max() < 12, frame
            assert pixels[2, 2].max() < 5


def test_same_inputs_same_bytes(done, tmp_path):
    run, _ = done
    again, shard = scored_run.make(tmp_path / "balls")
    extract(again, shard)
    render(again, shard)
    first, second = _files(run), _files(again)
    assert first.keys() == second.keys()
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes(), name


def test_what_is_done_is_kept_and_what_is_missing_or_changed_is_redone(tmp_path):
    run, shard = scored_run.make(tmp_path / "balls")
    extract(run, shard)
    render(run, shard)
    before = {name: (path.stat().st_mtime_ns, path.read_bytes()) for name, path in _files(run).items()}
    folders = [run.layout.asset(shard.key(prompt.id, seed)) for prompt, seed in shard.assets()]
    (folders[0] / "mesh.glb").unlink()
    run.layout.views(shard, shard.prompts[0].id, 1).unlink()
    kept = read_json(folders[3] / "mesh.json")
    write_json(folders[3] / "mesh.json", kept | {"fingerprint": "of something else"})
    extract(run, shard)
    render(run, shard)
    after = {name: (path.stat().st_mtime_ns, path.read_bytes()) for name, path in _files(run).items()}
    assert {n: content for n, (_, content) in before.items()} == {n: content for n, (_, content) in after.items()}
    rewritten = {n for n in after if after[n][0] != before[n][0] and n.startswith(("assets", "views"))}
    asset = [folder.relative_to(run.folder).as_posix() for folder in folders]
    views = run.layout.views(shard, shard.prompts[0].id, 1).relative_to(run.folder).as_posix()
    assert rewritten == {
        f"{asset[0]}/mesh.glb", f"{asset[0]}/mesh.json", f"{asset[3]}/mesh.glb", f"{asset[3]}/mesh.json",
        views, f"{asset[1]}/turntable.webp", f"{asset[1]}/render.json",
    }  # fmt: skip


def test_an_interrupted_mesh_does_not_pass_for_another(tmp_path, monkeypatch):
    """One that was made with other settings, whose numbers were not written yet."""
    run, shard = scored_run.make(tmp_path / "balls")
    extract(run, shard)
    before = {name: path.read_bytes() for name, path in _files(run).items()}
    mesh = run.config.mesh.model_copy(update={"resolution": 9})
    coarse = replace(run, config=run.config.model_copy(update={"mesh": mesh}))

    def interrupted(surface):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("jsdpipe.mesh.mesh_files._numbers", interrupted)
        extract(coarse, shard)
    assert {name: path.read_bytes() for name, path in _files(run).items()} != before
    extract(run, shard)
    assert {name: path.read_bytes() for name, path in _files(run).items()} == before


def test_an_asset_that_now_fails_loses_its_files(tmp_path):
    run, shard = scored_run.make(tmp_path / "balls")
    extract(run, shard)
    render(run, shard)
    records = read_manifest(run, "generate", shard)
    prompt, seed = next(shard.assets())
    manifest = run.layout.manifest("generate", shard)
    records[0] |= {"status": "failed", "reason": "burnt"}
    write_json(manifest, read_json(manifest) | {"records": records})
    extract(run, shard)
    render(run, shard)
    assert read_manifest(run, "render", shard)[0]["reason"] == "burnt"
    folder = run.layout.asset(shard.key(prompt.id, seed))
    assert not {"mesh.glb", "mesh.json", "turntable.webp", "render.json"} & {path.name for path in folder.iterdir()}
    assert not run.layout.views(shard, prompt.id, seed).exists()


def test_the_other_renderer_renders_anew_and_shows_the_same(tmp_path):
    pictures.need("moderngl")
    run, shard = scored_run.make(tmp_path / "balls")
    extract(run, shard)
    render(run, shard)
    path = run.layout.views(shard, shard.prompts[0].id, 0)
    first, comment = read_views(path, "quality"), read_comment(path)
    gl = run.config.model_copy(update={"render": run.config.render.model_copy(update={"renderer": "moderngl"})})
    render(replace(run, config=gl), shard)
    assert read_comment(path) != comment
    assert np.abs(read_views(path, "quality").astype(float) - first).mean() < 0.5


def test_textured_meshes_look_like_those_of_vertex_colors(done, tmp_path):
    plain, shard = done
    mesh = {"resolution": 24, "threshold": scored_run.THRESHOLD, "texture": 128, "formats": ("glb", "obj")}
    run, _ = scored_run.make(tmp_path / "balls", mesh=mesh)
    extract(run, shard)
    render(run, shard)
    records = read_manifest(run, "mesh", shard)
    assert [r["reason"] for r in records] == [r["reason"] for r in read_manifest(plain, "mesh", shard)]
    for record in records:
        folder = run.layout.asset(shard.key(record["prompt_id"], record["seed"]))
        names = {path.name for path in folder.glob("mesh*") if path.suffix != ".json"}
        if record["reason"]:
            assert names == set()
            continue
        assert names == {"mesh.glb", "mesh.obj", "mesh.mtl", "mesh-1.png"}
        one, other = glb.load(folder / "mesh.glb"), read(folder / "mesh.obj")
        assert one.textures[0].pixels.shape == (128, 128, 3)
        assert np.array_equal(one.textures[0].pixels, other.textures[0].pixels)
        np.testing.assert_allclose(one.vertices[one.faces], other.vertices[other.faces], atol=1e-6)
        np.testing.assert_allclose(one.uv[one.faces], other.uv[other.faces], atol=1e-6)
        zips = [of.layout.views(shard, record["prompt_id"], record["seed"]) for of in (plain, run)]
        # vertices on seams count twice for T3Bench's center; the edge between two colors is sharper in a texture
        two_colored = (record["prompt"], record["seed"]) == scored_run.TWO_COLORED
        for rig, shift in (("quality", 2.0), ("alignment", 2.0), ("diversity", 0.0)):
            colored, textured = (read_views(path, rig).astype(int) for path in zips)
            assert colored.max() > 200
            assert np.abs(colored - textured).mean() <= shift + 2.0 * two_colored


def test_the_time_left_is_said_within_an_asset(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("jsdpipe.base.progress.LOG_EVERY_S", 0.0)
    run, shard = scored_run.make(tmp_path / "balls")
    extract(run, shard)
    render(run, shard)
    said = [line.split(",")[0] for line in capsys.readouterr().err.splitlines()]
    slices, views = 24, 12 * 2 + 12 + 5
    assert {f"mesh {shard.name}: {at}/{6 * slices}" for at in (1, 2, slices, 6 * slices)} <= set(said)
    assert {f"render {shard.name}: {at}/{6 * views}" for at in (1, 2, views, 6 * views)} <= set(said)
