import math

import numpy as np
import pytest
import tiny_models
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from jsdpipe.config.recipes import load_recipe
from jsdpipe.prior.guidance import PromptEmbeddings
from jsdpipe.prior.prior import load_prior
from jsdpipe.prior.settings import PerpNeg
from jsdpipe.prior.view_directions import DIRECTIONS, direction, mixture, perp_neg

VIEWS = load_recipe("published/jsdlr").view_prompts
PLAIN = VIEWS.model_copy(update={"perp_neg": False})


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return load_prior(str(tiny_models.diffusion(tmp_path_factory.mktemp("prior"))))


def radians(*degrees):
    return torch.tensor([math.radians(d) for d in degrees])


@pytest.mark.parametrize(
    ("azimuth", "elevation", "name"),
    [
        (0, 0, "front"), (44.9, 0, "front"), (-44.9, 59.9, "front"), (45.1, 0, "side"), (-134.9, -30, "side"),
        (135.1, 0, "back"), (180, 0, "back"), (-179, 0, "back"), (350, 0, "front"), (200, 10, "back"),
        (0, 60.1, "overhead"), (120, 89, "overhead"),
    ],
)  # fmt: skip
def test_directions_by_the_limits_of_the_public_jsd_code(azimuth, elevation, name):
    index = direction(radians(azimuth), radians(elevation), VIEWS)
    assert DIRECTIONS[int(index)] == name


def test_a_recipe_states_other_limits():
    views = VIEWS.model_copy(update={"front_deg": 30.0, "back_deg": 150.0})
    found = direction(radians(29, 31, -149, -151), torch.zeros(4), views)
    assert [DIRECTIONS[i] for i in found] == ["front", "side", "side", "back"]


def reference_mixture(azimuth, elevation):
    """Perp-Neg's positive shares, negatives and weights for one view in degrees, in plain Python."""

    def f(a, b, c, r):
        return a * math.exp(-b * r) + c

    f_sb, f_fsb, f_fs, f_sf = (1, 0.5, -0.606), (1, 0.5, 0.967), (4, 0.5, -2.426), (4, 0.5, -2.426)
    if elevation > 60:
        return {"overhead": 1}, None, (0, 0)
    if abs(azimuth) < 90:
        r = 1 - abs(azimuth) / 90
        return {"front": r, "side": 1 - r}, ("front", "side"), (-f(*f_fs, r), -f(*f_sf, 1 - r))
    r = 2 - abs(azimuth) / 90
    return {"side": r, "back": 1 - r}, ("side", "front"), (-f(*f_sb, r), -f(*f_fsb, r))


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_perp_neg_mixes_neighboring_directions(azimuth, elevation):
    assume(abs(elevation - 60) > 1e-3 and abs(abs(azimuth) - 90) > 1e-3)
    shares = mixture(radians(azimuth), radians(elevation), VIEWS)
    negatives, weights = perp_neg(radians(azimuth), radians(elevation), VIEWS)
    expected, wrong, by = reference_mixture(azimuth, elevation)
    for name, share in zip(DIRECTIONS, shares[0].tolist(), strict=True):
        assert share == pytest.approx(expected.get(name, 0), abs=1e-5)
    if wrong:
        assert tuple(DIRECTIONS[i] for i in negatives[0]) == wrong
    assert weights[0].tolist() == pytest.approx(by, abs=1e-4)


def test_perp_neg_by_hand_from_the_front():
    assert mixture(radians(0), radians(0), VIEWS).tolist() == [[1, 0, 0, 0]]
    negatives, weights = perp_neg(radians(0), radians(0), VIEWS)
    assert [DIRECTIONS[i] for i in negatives[0]] == ["front", "side"]
    # r = 1: -(4 exp(-0.5) - 2.426), and at 1 - r = 0: -(4 - 2.426)
    assert weights[0].tolist() == pytest.approx([-0.000123, -1.574], abs=1e-5)


@pytest.mark.parametrize(
    ("azimuth", "weights"),
    [
        (0, (0, -2)),  # r = 1
        (-45, (-2 * math.exp(-1), -2 * math.exp(-5))),  # r = 0.5
        (81, (-2 * math.exp(-0.2), 0)),  # r = 0.1
        (99, (0, -2)),  # between side and back: r = 0.9
        (-135, (-math.exp(-5), -2)),  # r = 0.5
    ],
)
def test_the_weights_of_luciddreamer_by_hand(azimuth, weights):
    for factor in (1.0, 0.5):
        views = VIEWS.model_copy(update={"perp_neg": PerpNeg(weights="luciddreamer", factor=factor)})
        _, found = perp_neg(radians(azimuth), radians(0), views)
        assert found[0].tolist() == pytest.approx([factor * w for w in weights], abs=1e-6)
        assert perp_neg(radians(azimuth), radians(70), views)[1].tolist() == [[0, 0]]


def counted(prior):
    batches = []
    handle = prior.unet.register_forward_pre_hook(lambda module, inputs: batches.append(len(inputs[0])))
    return batches, handle


def test_guidance_of_a_mixed_batch_is_one_call_and_the_formula(prior):
    texts, azimuth, elevation = ["a ball", "a cube"], radians(10, 100, 170), radians(0, 5, 75)
    of_item = torch.tensor([0, 1, 1])
    guidance = PromptEmbeddings(prior, texts, PLAIN).guidance_for(of_item, azimuth, elevation, torch.ones(3))
    z, t = torch.randn(3, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([20, 500, 990])
    batches, handle = counted(prior)
    found = guidance.predict_cfg(z, t, 7.5).numpy()
    handle.remove()
    assert batches == [6]
    full = ["a ball, front view", "a cube, side view", "a cube, overhead view"]
    for i, text in enumerate(full):
        e_text, e_null = (prior.noise(z[i : i + 1], t[i : i + 1], prior.embed([w])).numpy() for w in (text, ""))
        assert np.allclose(found[i], (e_null + 7.5 * (e_text - e_null))[0], atol=1e-4)


def test_the_text_is_interpolated_by_azimuth(prior):
    views = PLAIN.model_copy(update={"interpolate": True})
    azimuth, elevation = radians(-30, 150, 150), radians(0, 0, 75)
    found = PromptEmbeddings(prior, ["a ball"], views).guidance_for(
        torch.zeros(3, dtype=torch.long), azimuth, elevation, torch.ones(3)
    )
    front, side, back, overhead = prior.embed([f"a ball, {name} view" for name in DIRECTIONS])
    expected = torch.stack((2 / 3 * front + 1 / 3 * side, 1 / 3 * side + 2 / 3 * back, overhead))
    assert torch.allclose(found.embeddings[0], expected, atol=1e-5)
    assert found.weights is None


def test_a_template_puts_the_prompt_where_it_says(prior):
    templates = VIEWS.templates.model_copy(update={"back": "backside view of {prompt}"})
    prompts = PromptEmbeddings(prior, ["a {b} ball"], PLAIN.model_copy(update={"templates": templates}))
    expected = prior.embed(["a {b} ball, front view", "backside view of a {b} ball"])
    assert torch.allclose(prompts.directed[0, [DIRECTIONS.index("front"), DIRECTIONS.index("back")]], expected)


def test_guided_noise_has_a_gradient_on_the_latents_that_ask_for_one(prior):
    guidance = PromptEmbeddings(prior, ["a ball"], VIEWS).guidance_for(
        torch.tensor([0]), radians(10), radians(0), torch.ones(1)
    )
    draw = torch.Generator().manual_seed(3)
    z, along = torch.randn(2, 1, 4, tiny_models.LATENT, tiny_models.LATENT, generator=draw)
    t = torch.tensor([500])
    assert not guidance.predict_cfg(z, t, 7.5).requires_grad
    leaf = z.clone().requires_grad_()
    noise = guidance.predict_cfg(leaf, t, 7.5)
    (gradient,) = torch.autograd.grad(noise.square().mean(), leaf)
    lower, upper = (guidance.predict_cfg(z + step * along, t, 7.5).square().mean() for step in (-1e-2, 1e-2))
    assert ((upper - lower) / 2e-2).item() == pytest.approx((gradient * along).sum().item(), rel=1e-2)


def test_the_negative_prompt_takes_the_null_texts_place(prior):
    views = PLAIN.model_copy(update={"negative_prompt": "ugly"})
    view = (torch.tensor([0]), radians(0), radians(0), torch.ones(1))
    z, t = torch.randn(1, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([500])
    found = PromptEmbeddings(prior, ["a ball"], views).guidance_for(*view).predict_cfg(z, t, 0.0)
    assert torch.allclose(found, prior.noise(z, t, prior.embed(["ugly"])), atol=1e-5)


# 29 letters, so that the front's suffix needs a second window and the side's does not; 84 letters
LONG = "a brown fox, " * 2 + "a big mouse"
LONGER = "a brown fox and a lazy dog, " * 4


@pytest.mark.parametrize("views", [PLAIN, VIEWS], ids=["plain", "Perp-Neg"])
@pytest.mark.parametrize("prompt", [LONG, LONGER])
def test_the_view_of_a_long_prompt_counts(prior, views, prompt):
    """A view's noise in a batch with a short prompt is its noise alone, and front, side and back differ."""
    z, t = torch.randn(1, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([500])
    mixed, alone = PromptEmbeddings(prior, ["a ball", prompt], views), PromptEmbeddings(prior, [prompt], views)
    azimuth, level, distance = radians(0, 0, 90, 180), torch.zeros(4), torch.ones(4)
    guidance = mixed.guidance_for(torch.tensor([0, 1, 1, 1]), azimuth, level, distance)
    found = guidance.predict_cfg(z.expand(4, -1, -1, -1), t.expand(4), 7.5)
    for i in range(1, 4):
        view = (azimuth[i : i + 1], level[:1], distance[:1])
        assert torch.allclose(
            found[i], alone.guidance_for(torch.tensor([0]), *view).predict_cfg(z, t, 7.5)[0], atol=1e-3
        )
    short = PromptEmbeddings(prior, ["a ball"], views).guidance_for(
        torch.tensor([0]), azimuth[:1], level[:1], distance[:1]
    )
    assert torch.allclose(found[0], short.predict_cfg(z, t, 7.5)[0], atol=1e-3)
    for one, other in ((1, 2), (2, 3), (1, 3)):
        assert not torch.allclose(found[one], found[other], atol=2e-2)


@pytest.mark.parametrize("prompt", ["a ball", LONG, LONGER])
def test_perp_neg_guidance_is_one_call_and_the_formula(prior, prompt):
    degrees = [(10, 0), (-100, 5), (40, 80)]
    azimuth, elevation = (radians(*column) for column in zip(*degrees, strict=True))
    guidance = PromptEmbeddings(prior, [prompt], VIEWS).guidance_for(
        torch.zeros(3, dtype=torch.long), azimuth, elevation, torch.ones(3)
    )
    z, t = torch.randn(3, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([20, 500, 990])
    batches, handle = counted(prior)
    found = guidance.predict_cfg(z, t, -13.5).numpy()
    handle.remove()
    assert batches == [12]
    rows = prior.embed([f"{prompt}, {name} view" for name in DIRECTIONS]).double().numpy()
    embedded = {name: rows[i : i + 1] for i, name in enumerate(DIRECTIONS)}
    for i, view in enumerate(degrees):

        def predict(embedding, i=i):
            embedding = torch.from_numpy(embedding).float()
            return prior.noise(z[i : i + 1], t[i : i + 1], embedding).double().numpy().ravel()

        shares, wrong, weights = reference_mixture(*view)
        text = predict(sum(share * embedded[name] for name, share in shares.items()))
        null = predict(prior.embed([""]).numpy())
        d = text - null
        total = d.copy()
        for name, weight in zip(wrong or (), weights, strict=False):
            x = predict(embedded[name]) - null
            total += weight * (x - (x @ d) / (d @ d) * d)
        expected = null - 13.5 * total
        assert np.abs(found[i].ravel() - expected).max() < 2e-3 * np.abs(expected).max()


def test_what_else_objectives_ask_for(prior):
    view = (torch.tensor([0]), radians(0), radians(0), torch.ones(1))
    guidance = PromptEmbeddings(prior, ["a ball"], PLAIN, negative="blurry").guidance_for(*view)
    z, t = torch.randn(1, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([500])
    text, null, bad = (prior.noise(z, t, prior.embed([w])) for w in ("a ball, front view", "", "blurry"))
    assert torch.allclose(guidance.predict_text(z, t), text, atol=1e-5)
    assert torch.allclose(guidance.predict_null(z, t), null, atol=1e-5)
    for found, expected in zip(guidance.predict_with_negative(z, t), (null, text - null, bad), strict=True):
        assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("views", [PLAIN, VIEWS], ids=["plain", "Perp-Neg"])
def test_a_direction_from_the_objectives_negative_prompt(prior, views):
    """It is what the negative prompt in the null text's place gives."""
    view = (torch.tensor([0, 1]), radians(10, 100), radians(0, 0), torch.ones(2))
    z, t = torch.randn(2, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([500, 700])
    texts = ["a ball", "a cube"]
    found = PromptEmbeddings(prior, texts, views, negative="blurry").guidance_for(*view)
    instead = PromptEmbeddings(prior, texts, views.model_copy(update={"negative_prompt": "blurry"})).guidance_for(*view)
    for one, other in zip(
        found.predict_negative_and_direction(z, t), instead.predict_null_and_direction(z, t), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-5)


def test_the_views_of_an_asset_share_its_first_number(prior):
    prompts = PromptEmbeddings(prior, ["a ball", "a cube"], PLAIN)
    guidance = prompts.guidance_for(torch.tensor([0, 0, 1, 1, 1]), *[torch.zeros(5)] * 2, torch.ones(5))
    assert guidance.first_of_asset(torch.tensor([5, 6, 7, 8, 9])).tolist() == [5, 5, 7, 7, 7]
