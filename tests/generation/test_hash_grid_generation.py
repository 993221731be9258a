"""The optimization of hash-grid scenes; what all scenes share is in test_generation.py."""

import pytest
import tiny
import tiny_models
import torch
from pictures import solid
from PIL import Image
from toys import burning, towards

from jsdpipe.base.seeding import generator
from jsdpipe.config.recipes import load_recipe
from jsdpipe.generation import generate_one
from jsdpipe.generation.loop import Generators, Subject, optimize
from jsdpipe.mesh.isosurface import extract
from jsdpipe.prior.prior import load_prior
from jsdpipe.scene.cameras import random_viewpoints
from jsdpipe.scene.files import load
from jsdpipe.scene.hash_grid.rendering import SampledRendering
from jsdpipe.scene.registry import build
from jsdpipe.scene.regularizers import needs_normals


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return load_prior(str(tiny_models.diffusion(tmp_path_factory.mktemp("prior") / "tiny", tiny_vae=True)))


def nothing(steps=1, note=""):
    pass


def rendered(key, step, size=8, recipe="published/jsdlr-surr", **override):
    """One step's rendering of one asset."""
    recipe = load_recipe(recipe, tiny.HASH_GRID | override)
    draws = Generators(key)
    cameras = random_viewpoints(recipe.cameras, 2, draws["cameras"], step)
    (scene,) = build(recipe.field, [draws["field"]]).scenes()
    normals = needs_normals(recipe.regularizers, step)
    return scene.render_training(cameras, size, step, recipe.cameras.samples_per_ray, draws, normals=normals)


def test_an_asset_alone_is_what_it_is_in_a_batch(prior):
    recipe = load_recipe("published/jsdlr-surr", tiny.HASH_GRID | {"steps": 2})
    subjects = [Subject("a ball", ("ball", 0)), Subject("a cube", ("cube", 0))]
    together = optimize(subjects, recipe, prior, nothing)
    for subject, expected in zip(subjects, together, strict=True):
        (alone,) = optimize([subject], recipe, prior, nothing)
        assert alone.history[0]["opacity"] == expected.history[0]["opacity"]
        assert alone.history[0]["loss"] == pytest.approx(expected.history[0]["loss"], rel=1e-4)
        # Adam's first steps are signs of gradients, which the last bits of a shared call can turn
        for name, tensor in alone.scene.tensors().items():
            close = torch.isclose(tensor, expected.scene.tensors()[name], atol=1e-3)
            assert close.float().mean() > 0.95, name
    assert not torch.equal(together[0].scene.encoding.table, together[1].scene.encoding.table)


def test_renders_go_where_the_prior_is(prior):
    field = tiny.HASH_GRID["field"] | {
        "encoding_lr": 0.05, "network_lr": 0.05, "background": {"lr": 0.05}, "material": {"albedo_only_steps": 20},
    }  # fmt: skip
    recipe = load_recipe("published/jsdlr", tiny.HASH_GRID | {"steps": 40, "field": field})
    (outcome,) = optimize([Subject("red", ("red", 0))], recipe, towards([0.8, -0.8, -0.8], prior), nothing)
    assert outcome.reason is None
    points = torch.tensor([[0.3, 0.0, 0.0], [0, -0.3, 0]])
    for colors in (outcome.scene.albedo(points), outcome.scene.background(points / 0.3)):
        assert colors[:, 0].min() > 0.75
        assert colors[:, 1:].max() < 0.25


def test_all_parameters_are_trained(prior):
    recipe = load_recipe("published/jsdlr", tiny.HASH_GRID)
    (before,) = build(recipe.field, [generator("ball", "field")]).scenes()
    (outcome,) = optimize([Subject("a ball", ("ball",))], recipe, prior, nothing)
    for name, tensor in outcome.scene.tensors().items():
        assert not torch.equal(tensor, before.tensors()[name]), name


def test_the_size_follows_its_milestones(prior, monkeypatch):
    sizes = []
    encode = prior.encode
    monkeypatch.setattr(prior, "encode", lambda images, draws: sizes.append(images.shape[-1]) or encode(images, draws))
    optimize([Subject("a ball", ("ball", 0))], load_recipe("published/jsdlr", tiny.HASH_GRID), prior, nothing)
    assert sizes == [8, 8, 16]


def test_files_preview_and_mesh(prior, tmp_path):
    recipe = load_recipe("published/jsdlr", tiny.HASH_GRID)
    assert generate_one("a ball", recipe, prior, 0, tmp_path, "code", preview_views=3) is None
    assert Image.open(tmp_path / "preview.png").size == (48, 16)
    mesh, _ = extract(load(tmp_path / "scene.safetensors"), 24, "auto")
    assert solid(mesh).is_watertight


def test_a_loss_that_is_not_finite_is_a_failure(prior, tmp_path):
    recipe = burning(load_recipe("published/jsdlr", tiny.HASH_GRID))
    assert "not finite" in generate_one("a ball", recipe, prior, 0, tmp_path, "code")


def test_a_rendering_is_its_assets_own():
    first, again, other = (rendered((name, 0), step=2) for name in ("ball", "ball", "cube"))
    assert isinstance(first, SampledRendering)
    assert torch.equal(first.rgb, again.rgb)
    assert not torch.equal(first.rgb, other.rgb)


def test_normals_are_only_made_where_something_needs_them():
    free = {"regularizers": {"orientation": 0.0, "convexity": 0.0}}
    assert rendered(("ball",), step=0, **free).normals is None
    assert rendered(("ball",), step=1, **free).normals is not None  # lit
    assert rendered(("ball",), step=0).normals is not None


def test_random_colors_are_one_a_view():
    sure = {"field": tiny.HASH_GRID["field"] | {"background": {"random_color_probability": 1.0}}}
    rendering = rendered(("ball",), step=0, **sure)
    views = rendering.rgb.detach().view(2, 64, 3), rendering.opacity.view(2, 64)
    colors = [rgb[opacity == 0].unique(dim=0) for rgb, opacity in zip(*views, strict=True)]
    assert [len(found) for found in colors] == [1, 1]
    assert not torch.equal(*colors)
