"""The regularizers' share of the gradient, beside a few lines of NumPy."""

import math

import numpy as np
import pytest
import tiny
import tiny_models
import torch
from toys import towards

from jsdpipe.base.seeding import generator
from jsdpipe.config.recipes import load_recipe
from jsdpipe.generation import loop
from jsdpipe.generation.balance import Balance, regularizer_gradients
from jsdpipe.generation.loop import Subject, optimize
from jsdpipe.prior.prior import load_prior
from jsdpipe.scene.registry import build
from jsdpipe.scene.scene import SceneBatch

VOXELS = {"steps": 1, "field": {"resolution": 8}, "cameras": {"size": 16, "samples_per_ray": 8}}
NONE = {"regularizers": {"share": None, "sparsity": 0.0, "opaque": 0.0, "total_variation": 0.0}}
BALL, CUBE = Subject("a ball", ("ball", 0)), Subject("a cube", ("cube", 0))


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return load_prior(str(tiny_models.diffusion(tmp_path_factory.mktemp("prior") / "tiny", tiny_vae=True)))


def nothing(steps=1, note=""):
    pass


class Points(torch.nn.Module):
    """Points (A, N) of which a regularizer measures the length, and others (A, N) that only the objective moves."""

    def __init__(self, assets):
        super().__init__()
        draws = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(0))[:, assets]
        self.near, self.free = (torch.nn.Parameter(x) for x in draws)

    by_scene = SceneBatch.by_scene


def at_step(value, step):
    return value if isinstance(value, float) else value[step]


def descend(share, assets=(0, 1), steps=9, fine=None, weight=1.0, burning=None):
    """Gradient descent at 0.1 on both points towards 1, beside weight / 2 |near|^2; the batch, and what was measured.

    `weight` is a number, or one of each step. `burning` is an asset whose terms are not finite in step 0.
    """
    assets = list(assets)
    batch, balance, measured = Points(assets), Balance(share, len(assets)), []
    for step in range(steps):
        batch.zero_grad()
        terms = at_step(weight, step) / 2 * batch.near.square().sum(dim=1)
        if step == 0 and burning is not None:
            terms = terms * torch.tensor([math.inf if i == burning else 1.0 for i in range(len(assets))])
        ok = torch.ones(len(assets), dtype=torch.bool) if fine is None else torch.tensor(fine)
        alone = regularizer_gradients(terms, batch) if step % 4 == 0 else None
        outputs = [batch.near * 1, batch.free * 1, terms]
        on = [batch.near.detach() - 1, batch.free.detach() - 1, balance.factor * ok]
        torch.autograd.backward(outputs, on)
        if alone:
            balance.measure(batch, alone, ok, step)
        measured.append(balance.measured.tolist())
        with torch.no_grad():
            for parameter in batch.parameters():
                parameter -= 0.1 * parameter.grad
    return batch, measured


def by_hand(share, asset, steps=9, weight=1.0):
    """As `descend` for one asset in double precision: the points, and the shares."""
    x, free = (p.detach().double().numpy()[0] for p in Points([asset]).parameters())
    squares, factor, measured = np.zeros(2), 0.0, []
    for step in range(steps):
        objective, own = x - 1, at_step(weight, step) * x
        if step % 4 == 0:
            norms = np.array([np.linalg.norm(objective), np.linalg.norm(own)])
            squares = 0.9 * squares + 0.1 * norms**2
            corrected = squares / (1 - 0.9 ** (step // 4 + 1))
            ratio = min(np.sqrt(corrected[0] / corrected[1]), norms[0] / norms[1])
            factor = at_step(share, step) * ratio
            last = factor * norms[1] / norms[0]
        measured.append(last)
        x = x - 0.1 * (objective + factor * own)
        free = free - 0.1 * (free - 1)
    return x, free, measured


@pytest.mark.parametrize("weight", [1e-3, 1.0, 1e4])
def test_descent_is_that_by_hand(weight):
    batch, measured = descend(0.25, weight=weight)
    assert measured[0] == pytest.approx([0.25, 0.25], rel=1e-5)
    for asset in (0, 1):
        near, free, expected = by_hand(0.25, asset, weight=weight)
        assert batch.near[asset].tolist() == pytest.approx(near, rel=1e-4)
        assert batch.free[asset].tolist() == pytest.approx(free, rel=1e-5)
        assert [row[asset] for row in measured] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("weight", [[1e-3] * 4 + [1.0] * 5, [1.0] * 4 + [1e-3] * 5])
def test_a_term_that_begins_or_ends_does_not_exceed_the_share(weight):
    batch, measured = descend(0.1, weight=weight)
    near, _, expected = by_hand(0.1, 0, weight=weight)
    assert batch.near[0].tolist() == pytest.approx(near, rel=1e-4)
    assert [row[0] for row in measured] == pytest.approx(expected, rel=1e-4)
    assert measured[0][0] == pytest.approx(0.1, rel=1e-5)
    assert max(max(row) for row in measured) < 0.1 * (1 + 1e-5)
    rises = weight[0] < weight[-1]
    assert (measured[4][0] == pytest.approx(0.1, rel=1e-5)) is rises


def test_a_share_may_change_over_the_run():
    batch, _ = descend((0, 1.0, 0.0, 8))
    near, _, _ = by_hand([1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0], 1)
    assert batch.near[1].tolist() == pytest.approx(near, rel=1e-4)


def test_an_asset_alone_is_what_it_is_in_a_batch():
    together, _ = descend(0.25)
    for asset in (0, 1):
        alone, _ = descend(0.25, assets=[asset])
        assert torch.equal(alone.near[0], together.near[asset])


def test_without_a_share_the_gradient_is_the_sum():
    batch, measured = descend(None, steps=1)
    before = Points([0, 1]).near.detach()
    assert torch.allclose(batch.near, before - 0.1 * ((before - 1) + before))
    ratio = before.norm(dim=1) / (before - 1).norm(dim=1)
    assert measured[0] == pytest.approx(ratio.tolist(), rel=1e-5)


@pytest.mark.parametrize("trouble", [{"fine": [True, False]}, {"burning": 1}])
def test_an_asset_that_is_not_finite_is_not_measured(trouble):
    batch, measured = descend(0.25, steps=1, **trouble)
    alone, _ = descend(0.25, assets=[0], steps=1)
    assert torch.equal(batch.near[0], alone.near[0])
    assert math.isnan(measured[0][1]) and not math.isnan(measured[0][0])


def test_terms_without_a_gradient_have_no_factor():
    batch, measured = descend(0.25, steps=1, weight=0.0)
    before = Points([0, 1]).near.detach()
    assert torch.equal(batch.near, before - 0.1 * (before - 1))
    assert measured[0] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "small", "unreached"),
    [
        ("miniature/sds", VOXELS, {"background"}),
        ("published/jsdlr", tiny.HASH_GRID | {"steps": 1}, {"background.network"}),
    ],
)
def test_the_share_of_a_scene_s_first_gradient(prior, monkeypatch, name, small, unreached):
    monkeypatch.setattr(loop, "build_optimizer", lambda _, batch: torch.optim.SGD(batch.parameters(), lr=1.0))
    every = {"sparsity": 0.0, "opaque": 0.0, "total_variation": 0.0, "orientation": 0.0, "convexity": 0.0}
    field = load_recipe(name, small).field
    (start,) = build(field, [generator("ball", 0, "field")]).scenes()

    def gradient(regularizers):
        (outcome,) = optimize([BALL], load_recipe(name, small | {"regularizers": regularizers}), prior, nothing)
        found = {key: start.tensors()[key] - tensor for key, tensor in outcome.scene.tensors().items()}
        reached = [x.flatten() for key, x in found.items() if not any(key.startswith(u) for u in unreached)]
        return torch.cat(reached).detach(), outcome.history[0]

    objective, plain = gradient(every | {"z_variance": 0.0, "share": None})
    shared, row = gradient({"share": 0.5})
    assert "regularizer_share" not in plain
    assert row["regularizer_share"] == pytest.approx(0.5, rel=1e-5)
    assert (shared - objective).norm() == pytest.approx(0.5 * objective.norm().item(), rel=1e-3)


def test_an_asset_with_a_share_is_its_own_in_a_batch(prior):
    toy = towards([0.8, -0.8, -0.8], prior)
    recipe = load_recipe("miniature/sds", VOXELS | {"steps": 6, "regularizers": {"share": 0.5}})
    together = optimize([BALL, CUBE], recipe, toy, nothing)
    for subject, expected in zip((BALL, CUBE), together, strict=True):
        (alone,) = optimize([subject], recipe, toy, nothing)
        assert torch.equal(alone.scene.density_grid, expected.scene.density_grid)
        assert alone.history == expected.history


@pytest.mark.parametrize(
    ("change", "factor"),
    [({"reduction": "sum"}, 3 * 4 * 4), ({"objective_weight": 0.1}, 0.1)],
)
def test_the_unit_of_the_objective_s_gradient(prior, monkeypatch, change, factor):
    monkeypatch.setattr(loop, "build_optimizer", lambda _, batch: torch.optim.SGD(batch.parameters(), lr=1.0))
    toy = towards([0.8, -0.8, -0.8], prior)  # its latents are (3, 4, 4) of 16 pixels
    toy.image_size = 16
    (one,), (other,) = (
        optimize([BALL], load_recipe("miniature/sds", VOXELS | NONE | keys), toy, nothing) for keys in ({}, change)
    )
    for name, tensor in one.scene.tensors().items():
        assert tensor.abs().max() > 0
        assert torch.allclose(other.scene.tensors()[name], factor * tensor, rtol=1e-4)
    assert other.history[0]["loss"] == one.history[0]["loss"]
