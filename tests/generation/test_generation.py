import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny_models
import torch
from latent_scenes import FIELD, OFF
from PIL import Image
from toys import burning, towards

from jsdpipe.base.errors import UserError
from jsdpipe.config.prompts import Prompt, prompt_id
from jsdpipe.config.recipes import load_recipe, names
from jsdpipe.config.run_config import resolve
from jsdpipe.generation import generate_one
from jsdpipe.generation.asset import batch_fingerprint
from jsdpipe.generation.loop import Subject, optimize
from jsdpipe.generation.stage import generate
from jsdpipe.model_files.formats import UNET
from jsdpipe.pipeline.layout import AssetKey
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.prior.prior import load_prior
from jsdpipe.scene.cameras import random_viewpoints, turntable
from jsdpipe.scene.files import load

SMALL = {
    "steps": 3,
    "field": {"resolution": 8},
    "cameras": {"size": 16, "samples_per_ray": 8},
}
NASTY = "a \"$(touch x)\" 'ball' / ../\N{SNOWMAN}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.diffusion(tmp_path_factory.mktemp("prior") / "tiny", tiny_vae=True)


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(str(folder))


def nothing(steps=1, note=""):
    pass


class TestViewpoints:
    SETTINGS = load_recipe("published/jsdlr").cameras

    def test_draws_stay_in_their_ranges(self):
        views = random_viewpoints(self.SETTINGS, 4000, torch.Generator().manual_seed(0), 0)
        for values, (low, high) in [
            (torch.rad2deg(views.azimuth), (-180, 180)),
            (torch.rad2deg(views.elevation), (-10, 45)),
            (views.distance, (1.0, 1.5)),
            (torch.rad2deg(views.fovy), (40, 70)),
        ]:
            assert low - 1e-3 <= values.min() < low + 0.02 * (high - low)
            assert high - 0.02 * (high - low) < values.max() <= high + 1e-3

    def test_elevations_are_half_uniform_in_angle_half_on_the_sphere(self):
        elevation = np.sort(
            random_viewpoints(self.SETTINGS, 40_000, torch.Generator().manual_seed(0), 0).elevation.numpy()
        )
        low, high = math.radians(-10), math.radians(45)
        in_angle = (elevation - low) / (high - low)
        on_sphere = (np.sin(elevation) - math.sin(low)) / (math.sin(high) - math.sin(low))
        # Kolmogorov-Smirnov distance to the even mixture
        assert np.abs((in_angle + on_sphere) / 2 - np.linspace(0, 1, len(elevation))).max() < 1.63 / 200

    def test_the_preview_goes_around_from_the_front(self):
        origins, directions = turntable(self.SETTINGS, 4).rays(3)
        center = origins.view(4, 9, 3)[:, 4]
        up = 1.25 * math.sin(math.radians(15))
        flat = 1.25 * math.cos(math.radians(15))
        expected = torch.tensor([[flat, 0, up], [0, flat, up], [-flat, 0, up], [0, -flat, up]])
        assert torch.allclose(center, expected, atol=1e-6)
        assert torch.allclose(directions.view(4, 9, 3)[:, 4], -expected / 1.25, atol=1e-6)


@pytest.mark.parametrize("name", ["miniature/jsd", "miniature/sds"])
def test_renders_go_where_the_prior_is(prior, name):
    toy = towards([0.8, -0.8, -0.8], prior)
    recipe = load_recipe(name, SMALL | {"steps": 120, "field": {"resolution": 8, "background_lr": 0.05}})
    (outcome,) = optimize([Subject("red", ("red", 0))], recipe, toy, nothing)
    assert outcome.reason is None
    # (mean + 1) / 2: 0.9, 0.1, 0.1
    background = torch.sigmoid(outcome.scene.background)
    assert background.tolist() == pytest.approx([0.9, 0.1, 0.1], abs=0.12)
    albedo = outcome.scene.albedo(torch.tensor([[0.3, 0.0, 0.0], [0, -0.3, 0]]))
    assert (albedo[:, 0] > 0.75).all()
    assert (albedo[:, 1:] < 0.25).all()


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("miniature/")])
def test_an_asset_alone_is_what_it_is_in_a_batch(prior, name):
    recipe = load_recipe(name, SMALL)
    subjects = [Subject("a ball", ("ball", 0)), Subject("a cube", ("cube", 0))]
    together = optimize(subjects, recipe, prior, nothing)
    for subject, expected in zip(subjects, together, strict=True):
        (alone,) = optimize([subject], recipe, prior, nothing)
        # Adam's first steps are signs of gradients, which the last bits of a shared call can turn in a few voxels;
        # of two different assets about a quarter of the voxels are as close
        close = torch.isclose(alone.scene.albedo_grid, expected.scene.albedo_grid, atol=0.01)
        assert close.float().mean() > 0.95
        assert alone.history[0]["loss"] == pytest.approx(expected.history[0]["loss"], rel=1e-4)
    assert not torch.equal(together[0].scene.albedo_grid, together[1].scene.albedo_grid)


def test_a_sampled_posterior_has_draws_of_its_own(tmp_path):
    prior = load_prior(str(tiny_models.diffusion(tmp_path)))  # with a KL autoencoder, whose posterior is wide
    losses = {}
    for posterior in ("mean", "sample", "sample"):
        recipe = load_recipe("miniature/sds", SMALL | {"posterior": posterior})
        (outcome,) = optimize([Subject("a ball", ("ball", 0))], recipe, prior, nothing)
        losses.setdefault(posterior, []).append([row["loss"] for row in outcome.history])
    (mean,), (sample, again) = losses["mean"], losses["sample"]
    assert sample == again
    assert all(one != other for one, other in zip(mean, sample, strict=True))


def test_a_recipe_may_have_no_regularizers(prior):
    none = {"share": None, "sparsity": 0.0, "opaque": 0.0, "total_variation": 0.0}
    recipe = load_recipe("miniature/sds", SMALL | {"regularizers": none})
    (outcome,) = optimize([Subject("a ball", ("ball", 0))], recipe, prior, nothing)
    assert outcome.reason is None
    assert outcome.health.counts.total() == 0


def test_several_views_a_step(prior):
    recipe = load_recipe("miniature/sds", SMALL | {"views_per_step": 2})
    (outcome,) = optimize([Subject("a ball", ("ball", 0))], recipe, prior, nothing)
    assert [row["step"] for row in outcome.history] == [0, 1, 2]


class TestOne:
    def test_files_of_a_prompt_that_is_no_path(self, prior, tmp_path):
        recipe = load_recipe("miniature/sds", SMALL)
        assert generate_one(NASTY, recipe, prior, 0, tmp_path / "out", "code", preview_views=3) is None
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "asset.json",
            "preview.png",
            "scene.safetensors",
        ]
        assert Image.open(tmp_path / "out/preview.png").size == (48, 16)
        asset = json.loads((tmp_path / "out/asset.json").read_text())
        assert asset["status"] == "ok"
        assert [row["step"] for row in asset["history"]] == [0, 1, 2]
        assert load(tmp_path / "out/scene.safetensors").bound == recipe.field.bound

    def test_a_loss_that_is_not_finite_is_a_failure(self, prior, tmp_path):
        recipe = burning(load_recipe("miniature/sds", SMALL))
        reason = generate_one("a ball", recipe, prior, 0, tmp_path, "code")
        assert "not finite" in reason and "3 steps" in reason and "step 2" in reason
        assert json.loads((tmp_path / "asset.json").read_text())["status"] == "failed"
        assert not (tmp_path / "scene.safetensors").exists()

    def test_an_empty_field_is_a_failure(self, prior, tmp_path):
        recipe = load_recipe("miniature/sds", SMALL | {"field": {"resolution": 8, "density_scale": 1e-4}})
        assert "empty" in generate_one("a ball", recipe, prior, 0, tmp_path, "code")
        assert not (tmp_path / "scene.safetensors").exists()

    def test_a_failure_leaves_no_older_scene_behind(self, prior, tmp_path):
        generate_one("a ball", load_recipe("miniature/sds", SMALL), prior, 0, tmp_path, "code")
        recipe = burning(load_recipe("miniature/sds", SMALL))
        generate_one("a ball", recipe, prior, 0, tmp_path, "code")
        assert [path.name for path in tmp_path.iterdir()] == ["asset.json"]


def test_the_fingerprint_is_of_all_that_counts(prior):
    recipe, batch = load_recipe("miniature/jsd"), [Subject("a", ("a", 0)), Subject("b", ("b", 0))]
    marks = {
        batch_fingerprint("code", batch, recipe, prior, 8, None),
        batch_fingerprint("other", batch, recipe, prior, 8, None),
        batch_fingerprint("code", batch[:1], recipe, prior, 8, None),
        batch_fingerprint("code", [batch[0], Subject("b", ("b", 1))], recipe, prior, 8, None),
        batch_fingerprint("code", batch, recipe.model_copy(update={"steps": 7}), prior, 8, None),
        batch_fingerprint("code", batch, recipe, prior, 4, None),
        batch_fingerprint("code", batch, recipe, prior, 8, 100),
    }
    assert len(marks) == 7
    prose = {"source": "another paper", "unpublished": "something"}
    assert batch_fingerprint("code", batch, recipe.model_copy(update=prose), prior, 8, None) in marks
    assert batch_fingerprint("code", list(batch), load_recipe("miniature/jsd"), prior, 8, None) in marks


class TestStage:
    PROMPTS = tuple(Prompt(prompt_id(text), text) for text in ("a red ball", NASTY))

    def run(self, folder, prior_folder, **override):
        prompts = folder.parent / "prompts.txt"
        prompts.write_text("".join(f"{prompt.text}\n" for prompt in self.PROMPTS))
        config = {
                "run": "test", "seeds": [0, 1], "sets": {"single": {"file": str(prompts)}},
                "methods": {"jsd": {"recipe": "miniature/jsd", "override": SMALL | override}},
                "prior": {"model": str(prior_folder)},
                "generation": {"shard_assets": 4, "batch_assets": 3, "preview_views": 2},
                "mesh": {"resolution": 16, "threshold": "auto"},
                "render": {
                    "size": 16, "quality": {"subdivision": 0, "radius": 2.2, "fovy_deg": [45.0]},
                    "alignment": {"subdivision": 0, "radius": 2.2, "fovy_deg": 45.0},
                    "diversity": {"views": 2, "elevation_deg": 15.0, "distance": 2.2, "fovy_deg": 45.0},
                },
                "quality": {"reward": {"kind": "miniature-clip"}},
                "alignment": {"captioner": {"kind": "miniature"}, "judge": {"kind": "attributes"}},
                "diversity": {"classifier": {"kind": "miniature"}, "features": {"kind": "miniature"}},
                "report": {"title": "Test"},
            }  # fmt: skip
        run = Run.of(resolve(config), folder)
        (shard,) = run.shards()
        return run, shard

    def contents(self, run):
        return {path.relative_to(run.folder): path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}

    def test_a_shards_assets_and_manifest(self, folder, tmp_path):
        run, shard = self.run(tmp_path / "run", folder)
        generate(run, shard)
        records = read_manifest(run, "generate", shard)
        assert [(r["prompt"], r["seed"], r["status"]) for r in records] == [
            (prompt.text, seed, "ok") for prompt in self.PROMPTS for seed in (0, 1)
        ]
        scenes = [
            run.layout.asset(AssetKey("jsd", "single", p.id, s)) / "scene.safetensors"
            for p in self.PROMPTS
            for s in (0, 1)
        ]
        assert len({path.read_bytes() for path in scenes}) == 4
        manifest = json.loads(run.layout.manifest("generate", shard).read_text())
        assert load_prior(str(folder)).digest in manifest["provenance"]["models"]["prior"]

    def test_the_other_model_of_an_adapter_is_an_input(self, folder, tmp_path):
        other = tiny_models.diffusion(tmp_path / "other", prediction_type="v_prediction")
        adapter = {"model": str(other)}
        objective = load_recipe("miniature/vsd").objective.model_dump() | {"adapter": adapter}
        run, shard = self.run(tmp_path / "run", folder, objective=objective)
        generate(run, shard)
        manifest = json.loads(run.layout.manifest("generate", shard).read_text())
        assert manifest["provenance"]["models"]["adapter"] == f"{other} sha256:{UNET.digest(other)}"
        before = self.contents(run)
        generate(run, shard)
        assert self.contents(run) == before
        (other / "unet/config.json").write_text((other / "unet/config.json").read_text() + "\n")
        generate(run, shard)
        made = [path for path in before if path.name == "asset.json"]
        assert all((run.folder / path).read_bytes() != before[path] for path in made)

    def test_the_same_inputs_give_the_same_bytes_also_after_a_break(self, folder, tmp_path):
        (one, shard), (two, _) = self.run(tmp_path / "one", folder), self.run(tmp_path / "two", folder)
        generate(one, shard)
        generate(two, shard)
        whole = self.contents(one)
        assert self.contents(two) == whole
        assert len(whole) == 4 * 3 + 2  # the manifest, and the code behind its hash

        # batches: both seeds of the first prompt with the first of the second; the last alone
        places = [one.layout.asset(AssetKey("jsd", "single", p.id, s)) for p in self.PROMPTS for s in (0, 1)]
        before = [(place / "asset.json").stat().st_mtime_ns for place in places]
        (places[1] / "asset.json").write_text("{")
        (places[2] / "preview.png").unlink()
        one.layout.manifest("generate", shard).unlink()
        generate(one, shard)
        assert self.contents(one) == whole
        after = [(place / "asset.json").stat().st_mtime_ns for place in places]
        assert [a == b for a, b in zip(after, before, strict=True)] == [False, False, False, True]

    def test_what_was_made_from_something_else_is_redone(self, folder, tmp_path):
        run, shard = self.run(tmp_path / "run", folder)
        generate(run, shard)
        before = self.contents(run)
        run, shard = self.run(tmp_path / "run", folder, steps=2)
        generate(run, shard)
        assert not any(self.contents(run)[path] == before[path] for path in before if path.name == "asset.json")

    def test_a_prior_that_cannot_be_loaded_is_named_by_its_key(self, folder, tmp_path):
        gone = shutil.copytree(folder, tmp_path / "gone")
        run, shard = self.run(tmp_path / "run", gone)
        (gone / "unet/config.json").write_text("{")
        with pytest.raises(UserError, match=rf"^prior\.model: {gone}/unet/config\.json: "):
            generate(run, shard)

    def test_a_scene_of_other_latents_than_the_prior_s_is_named_by_its_method(self, folder, tmp_path):
        run, shard = self.run(tmp_path / "run", folder)
        latents = {"field": FIELD, "posterior": None, "cameras": {"size": 16}}
        recipe = load_recipe("miniature/jsd", latents | {"regularizers": OFF | {"total_variation": 0.0}})
        with pytest.raises(UserError, match=r"^methods\.jsd: (cameras\.size|field\.kind): "):
            generate(replace(run, recipes={"jsd": recipe}), shard)

    def test_failures_are_recorded_and_the_others_stay(self, folder, tmp_path):
        run, shard = self.run(tmp_path / "run", folder)
        generate(replace(run, recipes={"jsd": burning(run.recipes["jsd"])}), shard)
        for record in read_manifest(run, "generate", shard):
            assert record["status"] == "failed"
            assert "not finite" in record["reason"]
