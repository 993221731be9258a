import re

import pytest
import tiny_models
import torch

from jsdpipe.config.recipes import load_recipe
from jsdpipe.generation import loop
from jsdpipe.generation.loop import Subject, optimize
from jsdpipe.generation.outcome import LIMITS, NOT_FINITE, NOT_OPAQUE, NumericalHealth
from jsdpipe.objectives.base import Output
from jsdpipe.prior.prior import load_prior

RECIPE = load_recipe(
    "miniature/sds",
    {"steps": 30, "field": {"resolution": 8}, "cameras": {"size": 16, "samples_per_ray": 8}},
)


def test_only_what_persists_ends_an_asset():
    health = NumericalHealth(steps=1000)
    limit = LIMITS[NOT_FINITE]
    for step in range(limit - 1):
        assert health.observe(step, {NOT_FINITE: True, NOT_OPAQUE: False}) is None
    assert health.observe(limit - 1, {NOT_FINITE: False, NOT_OPAQUE: False}) is None
    for step in range(limit, 2 * limit - 1):
        assert health.observe(step, {NOT_FINITE: True, NOT_OPAQUE: False}) is None
    reason = health.observe(2 * limit - 1, {NOT_FINITE: True, NOT_OPAQUE: False})
    assert re.search(rf"not finite.* {limit} steps.* step {2 * limit - 1}$", reason)
    assert health.counts == {NOT_FINITE: 2 * limit - 1, NOT_OPAQUE: 0}


def test_a_short_run_that_never_went_well_fails_too():
    health = NumericalHealth(steps=2)
    assert health.observe(0, {NOT_FINITE: True}) is None
    assert health.observe(1, {NOT_FINITE: True})


class Stumbling:
    """An objective that pulls towards 0, but gives NaN to the second asset in the steps `bad`."""

    negative_prompt = None

    def __init__(self, bad, items=(1,)):
        self.bad, self.items, self.calls = bad, items, 0

    def __call__(self, z, guidance, progress, generators):
        self.calls += 1
        gradient = z / z[0].numel()
        if progress.step in self.bad:
            gradient = gradient.clone()
            gradient[list(self.items), 0, 0, 0] = float("nan")
        return Output(gradient, gradient.square().sum((1, 2, 3)), {})


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return load_prior(str(tiny_models.diffusion(tmp_path_factory.mktemp("prior"))))


def run(prior, monkeypatch, bad):
    monkeypatch.setattr(loop.objectives, "build", lambda settings: Stumbling(bad))
    return optimize([Subject("a", ("a", 0)), Subject("b", ("b", 0))], RECIPE, prior, lambda steps=1: None)


def test_a_stumble_is_counted_and_costs_a_step(prior, monkeypatch):
    first, second = run(prior, monkeypatch, bad={0, 5, 6})
    assert first.reason is None and second.reason is None
    assert (first.health.counts[NOT_FINITE], second.health.counts[NOT_FINITE]) == (0, 3)
    assert all(tensor.isfinite().all() for tensor in second.scene.tensors().values())
    (undisturbed, _) = run(prior, monkeypatch, bad=set())
    assert torch.equal(first.scene.density_grid, undisturbed.scene.density_grid)


def test_lasting_trouble_ends_its_own_asset_alone(prior, monkeypatch):
    first, second = run(prior, monkeypatch, bad=set(range(8, 30)))
    assert first.reason is None
    assert re.search(r"not finite.* 10 steps.* step 17$", second.reason)
    assert second.history[-1]["step"] < 18 <= first.history[-1]["step"]


def test_a_run_ends_when_all_its_assets_have(prior, monkeypatch):
    objective, done = Stumbling(range(8, 30), items=(0, 1)), []
    monkeypatch.setattr(loop.objectives, "build", lambda settings: objective)
    outcomes = optimize(
        [Subject("a", ("a", 0)), Subject("b", ("b", 0))], RECIPE, prior, lambda steps=1: done.append(steps)
    )
    assert all(outcome.reason.endswith("step 17") for outcome in outcomes)
    assert objective.calls == 18
    assert sum(done) == RECIPE.steps


def test_a_gradient_that_breaks_behind_the_images_is_a_stumble_too(prior, monkeypatch):
    """A finite gradient on the images that overflows in the scene, here by a hook on its parameters."""
    steps = iter(range(100))

    def build(*arguments):
        fields = build_fields(*arguments)

        def spoil(gradient):
            return torch.where(torch.tensor([False, next(steps) in (3, 4)])[:, None], float("inf"), gradient)

        fields.background.register_hook(spoil)
        return fields

    build_fields = loop.build
    undisturbed, _ = run(prior, monkeypatch, bad=set())
    monkeypatch.setattr(loop, "build", build)
    first, second = run(prior, monkeypatch, bad=set())
    assert (first.health.counts[NOT_FINITE], second.health.counts[NOT_FINITE]) == (0, 2)
    assert all(tensor.isfinite().all() for tensor in second.scene.tensors().values())
    assert torch.equal(first.scene.density_grid, undisturbed.scene.density_grid)
