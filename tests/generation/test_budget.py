"""U-Net samples: counted, and as a budget in place of a number of steps."""

import json

import pytest
import tiny
import tiny_models
from toys import burning

from jsdpipe.base.errors import UserError
from jsdpipe.config.recipes import load_recipe
from jsdpipe.config.run_config import resolve
from jsdpipe.generation import generate_one, unet_work
from jsdpipe.generation.budget import steps_within
from jsdpipe.generation.loop import Subject, optimize
from jsdpipe.generation.stage import generate
from jsdpipe.objectives.base import Output
from jsdpipe.objectives.sds import ScoreDistillation
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.prior.denoiser import load_adapter_unet
from jsdpipe.prior.prior import load_prior
from jsdpipe.scene.hash_grid.occupancy import OccupancyGrid

SMALL = {"field": {"resolution": 8}, "cameras": {"size": 16, "samples_per_ray": 8}}
PERP_NEG = {"view_prompts": {"perp_neg": {"weights": "threestudio"}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.diffusion(tmp_path_factory.mktemp("prior") / "tiny", tiny_vae=True)


@pytest.fixture
def prior(folder):
    return load_prior(str(folder))


def nothing(steps=1, note=""):
    pass


def jsd_samples(progress, samples_a_call=2):
    """What JSD's miniature recipe takes at a share of its run: five inversion steps of 200, and two denoisings."""
    t = min(int(1000 * ((0.98 - 0.25) * (1 - progress) + 0.25)), 999)
    inversions = 1 + len([level for level in (1, 201, 401, 601, 801) if level < t])
    return samples_a_call * (inversions + 2)


class TestCounted:
    @pytest.mark.parametrize(
        ("name", "change", "expected"),
        [
            ("sds", {}, 2 * 3),
            ("sds", PERP_NEG, 4 * 3),
            ("sds", {"views_per_step": 2}, 2 * 2 * 3),
            ("vsd", {}, 4 * 3),  # text and null; the adapter, once for the gradient and once in training
            ("jsd", {}, sum(jsd_samples(step / 3) for step in range(3))),
        ],
    )
    def test_in_an_asset_s_file(self, prior, tmp_path, name, change, expected):
        recipe = load_recipe(f"miniature/{name}", SMALL | {"steps": 3} | change)
        generate_one("a ball", recipe, prior, 0, tmp_path, "code")
        asset = json.loads((tmp_path / "asset.json").read_text())
        assert (asset["steps"], asset["unet_samples"]) == (3, expected)

    def test_on_an_adapter_s_own_unet_too(self, prior, folder, tmp_path):
        other = tiny_models.diffusion(tmp_path / "other", prediction_type="v_prediction")
        prior.adapted = load_adapter_unet(str(other), None, prior, folder)
        optimize([Subject("a", ("a", 0))], load_recipe("miniature/vsd", SMALL | {"steps": 3}), prior, nothing)
        assert (prior.samples, prior.adapted.samples, prior.unet_samples) == (2 * 3, 2 * 3, 4 * 3)

    def test_an_asset_s_part_of_its_batch(self, prior):
        subjects = [Subject(name, (name, 0)) for name in "abc"]
        outcomes = optimize(subjects, load_recipe("miniature/sds", SMALL | {"steps": 3}), prior, nothing)
        assert [outcome.unet_samples for outcome in outcomes] == [6, 6, 6]

    def test_until_all_have_failed(self, prior):
        recipe = burning(load_recipe("miniature/sds", SMALL | {"steps": 20}))
        (outcome,) = optimize([Subject("a", ("a", 0))], recipe, prior, nothing)
        assert (outcome.steps, outcome.unet_samples) == (10, 20)


class TestBudget:
    @pytest.mark.parametrize(
        ("name", "change", "samples", "expected"),
        [
            ("sds", {}, 100, 50),
            ("sds", {"steps": 7}, 100, 50),
            ("sds", PERP_NEG, 100, 25),
            ("sds", {"views_per_step": 2}, 100, 25),
            ("sds", {}, 1, 1),
            ("vsd", {}, 100, 25),
            ("jsd", {}, 1000, round(1000 / (sum(jsd_samples((i + 0.5) / 50) for i in range(50)) / 50))),
        ],
    )
    def test_steps(self, name, change, samples, expected):
        assert steps_within(samples, load_recipe(f"miniature/{name}", change)) == expected

    def test_an_objective_that_takes_none(self, monkeypatch):
        recipe = load_recipe("miniature/sds")
        objective = ScoreDistillation(recipe.objective)
        monkeypatch.setattr(objective, "compute", lambda z, *_: Output.from_gradient(z))
        monkeypatch.setattr(unet_work.objectives, "build", lambda _: objective)
        with pytest.raises(UserError, match=r"^generation\.unet_samples: .*'sds'"):
            steps_within(100, recipe)

    def test_a_shard(self, folder, tmp_path):
        config = tiny.config(tmp_path)
        config["prior"]["model"] = str(folder)
        before = Run.of(resolve(config), tmp_path / "run")
        generate(before, shard := before.shard("sds/single/000"))
        kept = {path: path.read_bytes() for path in before.folder.rglob("asset.json")}
        config["generation"]["unet_samples"] = 8
        run = Run.of(resolve(config), tmp_path / "run")
        generate(run, shard)
        records = read_manifest(run, "generate", shard)
        assert [(r["steps"], r["unet_samples"]) for r in records] == [(4, 8), (4, 8)]
        assert len(kept) == 2
        assert all(path.read_bytes() != content for path, content in kept.items())


class TestNominalSteps:
    @pytest.mark.parametrize(
        ("steps", "expected"), [(3, [0, 3, 6]), (10, list(range(10))), (20, [i // 2 for i in range(20)])]
    )
    def test_the_objective_s_progress(self, prior, monkeypatch, steps, expected):
        seen = []
        compute = ScoreDistillation.compute

        def spy(self, z, guidance, progress, generators):
            seen.append((progress.step, progress.steps))
            return compute(self, z, guidance, progress, generators)

        monkeypatch.setattr(ScoreDistillation, "compute", spy)
        recipe = load_recipe("miniature/sds", SMALL | {"steps": 10})
        (outcome,) = optimize([Subject("a", ("a", 0))], recipe, prior, nothing, steps)
        assert seen == [(step, 10) for step in expected]
        assert [row["step"] for row in outcome.history] == list(range(steps))

    def test_schedules_reach_their_ends(self, prior, monkeypatch):
        sizes = []
        encode = prior.encode
        monkeypatch.setattr(
            prior, "encode", lambda images, draws: sizes.append(images.shape[-1]) or encode(images, draws)
        )
        recipe = load_recipe("published/jsdlr", tiny.HASH_GRID | {"steps": 3})  # sizes [[0, 8], [2, 16]]
        optimize([Subject("a", ("a", 0))], recipe, prior, nothing, 6)
        assert sizes == [8, 8, 8, 8, 16, 16]

    def test_the_occupancy_grid_counts_real_steps(self, prior, monkeypatch):
        steps = []
        update = OccupancyGrid.update
        monkeypatch.setattr(
            OccupancyGrid, "update", lambda self, step, *rest: steps.append(step) or update(self, step, *rest)
        )
        field = tiny.HASH_GRID["field"] | {"occupancy_every": 2}
        recipe = load_recipe("published/jsdlr", tiny.HASH_GRID | {"steps": 12, "field": field})
        optimize([Subject("a", ("a", 0))], recipe, prior, nothing, 5)
        assert steps == [0, 2, 4]
