"""Objectives in double precision against the public codes' formulae, as these codes write them.

Both sides have one random U-Net, predicting noise or velocity, and the same latents, draws, texts and views. A batch of
three is compared with the formula item by item; two of them are views of one asset. Draws are those of an item's
generator: a timestep, then noise.
"""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import pytest
import tiny_models
import torch
from test_objectives import settings_of

from jsdpipe import objectives
from jsdpipe.config.recipes import load_recipe
from jsdpipe.objectives.base import Progress
from jsdpipe.prior.guidance import PromptEmbeddings
from jsdpipe.prior.prior import load_prior
from jsdpipe.prior.settings import PerpNeg

TEXTS = ("a ball", "a cube")
ITEMS = (0, 0, 1)  # the text of each
VIEWS = ((30.0, 10.0), (-130.0, 0.0), (80.0, 40.0))  # degrees of azimuth and elevation
NEGATIVE = "ugly"
TOLERANCE = 1e-6


def scheduled(value, step):
    """threestudio's `C`."""
    if not isinstance(value, list):
        return value
    start_step, start, end, end_step = value
    return start + (end - start) * max(min(1.0, (step - start_step) / (end_step - start_step)), 0.0)


def threestudio_weights(ahead, r):
    def decay(a, b, c, r):
        return a * math.exp(-b * r) + c

    if ahead:
        return -decay(4, 0.5, -2.426, r), -decay(4, 0.5, -2.426, 1 - r)
    return -decay(1, 0.5, -0.606, r), -decay(1, 0.5, 0.967, r)


def luciddreamer_weights(ahead, r):
    if ahead:
        front = 0.0 if r > 0.8 else math.exp(-r * 2.0) * -2.0
        return front, 0.0 if r < 0.2 else math.exp(-(1 - r) * 10.0) * -2.0
    return 0.0 if r > 0.8 else math.exp(-r * 10.0) * -2.0 / 2, -2.0


@dataclass
class Item:
    """One item of a public code's batch, and what that code draws for it."""

    prior: object
    embeddings: PromptEmbeddings
    index: int
    generator: torch.Generator
    perp_neg: bool

    def __post_init__(self):
        self.first = self  # of the items of its asset
        front, side, back, _ = self.embeddings.directed[ITEMS[self.index]]
        azimuth = VIEWS[self.index][0]
        self.ahead = abs(azimuth) < 90
        self.r = 1 - abs(azimuth) / 90 if self.ahead else 2 - abs(azimuth) / 90
        near, far, self.wrong = (front, side, (front, side)) if self.ahead else (side, back, (side, front))
        self.mixed = self.r * near + (1 - self.r) * far
        nearest = front if abs(azimuth) < 45 else back if abs(azimuth) > 135 else side
        self.text = self.mixed if self.perp_neg else nearest
        self.null, self.negative = self.embeddings.null, self.embeddings.negative
        self.alphas = self.prior.alphas[:-1]

    def integer(self, low, high):
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def normal(self, z):
        return torch.randn(z.shape, generator=self.generator).double()

    def uniform(self):
        return float(torch.rand((), generator=self.generator))

    def alpha(self, t):
        return self.alphas[t] if t >= 0 else self.alphas[0]  # set_alpha_to_one: false

    def noised(self, z, t, noise):
        return self.alpha(t) ** 0.5 * z + (1 - self.alpha(t)) ** 0.5 * noise

    def unet(self, z, t, text):
        with torch.no_grad():
            output = self.prior.unet(z[None], torch.tensor([t]), text[None]).sample[0]
        if self.prior.prediction_type == "epsilon":
            return output
        return self.alpha(t) ** 0.5 * output + (1 - self.alpha(t)) ** 0.5 * z

    def pushes(self, z, t, text, base, weights=threestudio_weights):
        """sum_i w_i perp(e_neg_i - e_base, e_text - e_base), given e_text and e_base."""
        positive, total = text - base, 0.0
        for weight, wrong in zip(weights(self.ahead, self.r), self.wrong, strict=True):
            x = self.unet(z, t, wrong) - base
            total = total + weight * (x - (x * positive).sum() / (positive * positive).sum() * positive)
        return total

    def threestudio_noise(self, z, t, scale):
        """threestudio's guided noise: e_text + s D without Perp-Neg, e_null + s D with it."""
        text, null = self.unet(z, t, self.text), self.unet(z, t, self.null)
        if self.perp_neg:
            return null + scale * (text - null + self.pushes(z, t, text, null))
        return text + scale * (text - null)


def sds(item, z, step):
    t = item.integer(20, 980)
    noise = item.normal(z)
    return (1 - item.alpha(t)) * (item.threestudio_noise(item.noised(z, t, noise), t, 100.0) - noise)


def sjc(item, z, step):
    t = item.integer(10, 970)
    sigma = ((1 - item.alpha(t)) / item.alpha(t)) ** 0.5
    zs = z + sigma * item.normal(z)
    noise = item.threestudio_noise(zs / (1 + sigma**2) ** 0.5, t, 100.0)
    return -((zs - sigma * noise) - z) / sigma


def csd_sum(item, z, step, t_max, uncond_scale, null_scale, perp_neg_scale):
    """cond_scale is 1; the null text is "", and `uncond` the negative prompt, but for the class defaults."""
    t = item.integer(20, t_max)
    z_t = item.noised(z, t, item.normal(z))
    text, null = (item.unet(z_t, t, text) for text in (item.text, item.null))
    uncond = item.unet(z_t, t, item.negative) if uncond_scale else null
    gradient = text + scheduled(uncond_scale, step) * uncond + scheduled(null_scale, step) * null
    if item.perp_neg:
        gradient = gradient + perp_neg_scale * item.pushes(z_t, t, text, uncond)
    return gradient, 1 - item.alpha(t)


def csd_default(item, z, step):
    gradient, w = csd_sum(item, z, step, 980, 0.0, -1.0, 1.0)
    return w * gradient


def csd_first_stage(item, z, step):
    t_max = int(1000 * scheduled([5000, 0.98, 0.5, 5001], step))
    gradient, _ = csd_sum(item, z, step, t_max, [0, -0.0, -1, 5000], [0, -1, 0.0, 5000], 3.0)
    return gradient / (gradient.norm(2) + 1e-8)


def csd_refine(item, z, step):
    gradient, w = csd_sum(item, z, step, 500, [0, -1, -0.5, 10000], [0, 0, -0.5, 10000], 3.0)
    return w * gradient


def ism(item, z, step):
    """LucidDreamer, where index i is timestep i + 1, iterations count from 1, and all views have the first one's t."""
    warm_up = 1.0 - min((step + 1) / 1500, 1.0)
    index = item.integer(20, 500 + int(480 * warm_up) - 1)
    if item.first is not item:
        index = item.first.integer(20, 500 + int(480 * warm_up) - 1)
    previous = max(index - int(50 + warm_up * (100 - 50)), 0)
    here = max(previous - 200 * 5, 0)
    x = item.noised(z, here + 1, item.normal(z))

    def moved(x, noise, here, there):
        a, b = item.alpha(here + 1), item.alpha(there + 1)
        return b**0.5 * (x - (1 - a) ** 0.5 * noise) / a**0.5 + (1 - b) ** 0.5 * noise

    while here < previous:
        there = min(here + 200, previous)
        x, here = moved(x, item.unet(x, here + 1, item.null), here, there), there
    target = item.unet(x, previous + 1, item.null)
    x, t = moved(x, target, previous, index), index + 1
    negative, text = item.unet(x, t, item.negative), item.unet(x, t, item.mixed)
    delta = text - negative
    if item.perp_neg:
        delta = delta + item.pushes(x, t, text, negative, luciddreamer_weights)
    return ((1 - item.alpha(t)) / item.alpha(t)) ** 0.5 * (negative + 7.5 * delta - target)


def nfsd(item, z, step):
    """The paper's eq. 11 and 12; it has no public code."""
    t = item.integer(20, 980)
    z_t = item.noised(z, t, item.normal(z))
    text, null, negative = (item.unet(z_t, t, text) for text in (item.text, item.null, item.negative))
    domain = null if t < 200 else null - negative
    pushes = item.pushes(z_t, t, text, null) if item.perp_neg else 0.0
    return (1 - item.alpha(t)) * (domain + 7.5 * (text - null + pushes))


def inverted(item, z, t, scale):
    x, levels = z, [-99, *(i for i in range(1, 1000, 100) if i < t)]
    levels.append(min(t + int(item.uniform() * 100), 999))
    for here, there in pairwise(levels):
        a, b = item.alpha(here), item.alpha(there)
        noise = item.threestudio_noise(x, here, scale)
        clean = (x - (1 - a) ** 0.5 * noise) / a**0.5
        variance = (1 - a) / (1 - b) * (1 - b / a)
        x = b**0.5 * clean + (1 - b) ** 0.5 * noise + 0.3 * variance**0.5 * item.normal(z)
    return x


def estimate(item, x, t, scale):
    return (x - (1 - item.alpha(t)) ** 0.5 * item.threestudio_noise(x, t, scale)) / item.alpha(t) ** 0.5


def annealed(step):
    return int(1000 * ((0.98 - 0.25) * (1 - step / 10_000) + 0.25))


def sdi(item, z, step):
    t = annealed(step)
    return z - estimate(item, inverted(item, z, t, -7.5), t, 7.5)


def jsd(item, z, step):
    t = annealed(step)
    high = estimate(item, inverted(item, z, t, -13.5), t, 13.5)
    low = estimate(item, item.noised(high, t, item.normal(z)), t, 13.5)
    return (z - high) + (z - low)


def inversion(kind, scale, **more):
    return lambda extra: settings_of(
        kind, guidance_scale=scale + extra, inversion_scale=-scale + extra, inversion_steps=10, inversion_eta=0.3,
        t_range=(0.25, 0.98), **more,
    )  # fmt: skip


HALF_LATER = (0.02, (5000, 0.98, 0.5, 5001))
# by name: the public formula; our settings, given what threestudio's scale is larger by than it states; the number of
# steps; and Perp-Neg's own settings
CASES = {
    "sds": (sds, lambda extra: settings_of("sds", guidance_scale=100.0 + extra, t_range=(0.02, 0.98)), 10_000, {}),
    "sjc": (sjc, lambda extra: settings_of("sjc", guidance_scale=100.0 + extra, t_range=(0.01, 0.97)), 10_000, {}),
    "csd": (csd_default, lambda extra: settings_of("csd", t_range=(0.02, 0.98)), 10_000, {}),
    "csd, first stage": (
        csd_first_stage,
        lambda extra: settings_of(
            "csd", t_range=HALF_LATER, negative_prompt=NEGATIVE, negative_share=(0, 0.0, 1.0, 5000), unit_norm=True
        ),
        10_000,
        {"factor": 3.0},
    ),
    "csd, refine stage": (
        csd_refine,
        lambda extra: settings_of(
            "csd", t_range=(0.02, 0.5), negative_prompt=NEGATIVE, negative_share=(0, 1.0, 0.5, 10_000)
        ),
        10_000,
        {"factor": 3.0},
    ),
    "ism": (
        ism,
        lambda extra: settings_of(
            "ism", guidance_scale=7.5, negative_prompt=NEGATIVE, t_range=(0.02, (0, 0.98, 0.5, 1500)),
            interval=(0, 100.0, 50.0, 1500), inversion_steps=5, inversion_stride=200, one_based=True,
        ),
        5_000,
        {"weights": "luciddreamer"},
    ),
    "nfsd": (
        nfsd,
        lambda extra: settings_of("nfsd", guidance_scale=7.5, t_range=(0.02, 0.98), negative_prompt=NEGATIVE),
        25_000,
        {},
    ),
    "sdi": (sdi, inversion("sdi", 7.5), 10_000, {}),
    "jsd": (jsd, inversion("jsd", 13.5, k=1.0), 10_000, {}),
}  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    @cache
    def load(prediction_type):
        folder = tiny_models.diffusion(tmp_path_factory.mktemp("prior"), prediction_type=prediction_type)
        return double(load_prior(str(folder), dtype=torch.float64))

    return load


def double(prior):
    """A prior whose schedule is in double precision too."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alphas = torch.cumprod(1 - betas, 0)
    prior.alphas = torch.cat((alphas, alphas[:1]))
    return prior


def largest_difference(prior, name, perp_neg, shares):
    """The largest difference on an item's gradient, as a share of the gradient's largest element.

    Compared at these shares of the run and in its last step.
    """
    formula, settings, steps, of_views = CASES[name]
    views = load_recipe("published/jsdlr").view_prompts.model_copy(
        update={
            "interpolate": name == "ism",
            "perp_neg": PerpNeg(**{"weights": "threestudio"} | of_views) if perp_neg else False,
        }
    )
    prompts = PromptEmbeddings(prior, TEXTS, views, negative=NEGATIVE)
    for key in ("plain", "null", "negative", "directed"):
        setattr(prompts, key, getattr(prompts, key).double())
    azimuth, elevation = torch.deg2rad(torch.tensor(VIEWS, dtype=torch.float64)).T
    guidance = prompts.guidance_for(torch.tensor(ITEMS), azimuth, elevation, torch.ones(3, dtype=torch.float64))
    objective = objectives.build(settings(0.0 if perp_neg else 1.0))

    def new_item(step, i):
        return Item(prior, prompts, i, torch.Generator().manual_seed(step + i), perp_neg)

    worst = 0.0
    for step in [*(int(share * steps) for share in shares), steps - 1]:
        z = torch.randn(3, 4, *[tiny_models.LATENT] * 2, generator=torch.Generator().manual_seed(step)).double()
        draws = [torch.Generator().manual_seed(step + i) for i in range(3)]
        found = objective(z, guidance, Progress(step, steps), draws)
        assert found.gradient.dtype == torch.float64
        for i in range(3):
            item, first = new_item(step, i), ITEMS.index(ITEMS[i])
            item.first = item if first == i else new_item(step, first)
            expected = formula(item, z[i], step) / z[i].numel()  # our loss is a mean, where most of theirs are sums
            difference = ((found.gradient[i] - expected).abs().max() / expected.abs().max()).item()
            worst = max(worst, difference)
    return worst


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("perp_neg", [False, True], ids=["plain", "Perp-Neg"])
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_the_public_code_s(models, name, perp_neg, prediction_type):
    assert largest_difference(models(prediction_type), name, perp_neg, shares=(0.0, 0.2)) < TOLERANCE
