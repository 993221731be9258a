"""Objectives against plain NumPy, on a Gaussian world whose denoiser is known exactly."""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe import objectives
from jsdpipe.objectives.jsd import annealed_timestep, inversion_timesteps
from jsdpipe.recipes.objectives import JSD, SDS, Objective

SHAPE = (2, 3, 3)
ROOTS = np.linspace(0.00085**0.5, 0.012**0.5, 1000)
ALPHAS = np.cumprod(1 - ROOTS**2)
VARIANCE = 0.3
JSD_SETTINGS = JSD(
    kind="jsd", guidance_scale=3.0, inversion_scale=-2.0, inversion_steps=10, inversion_eta=0.3, k=1.0,
    t_range=(0.25, 0.98),
)  # fmt: skip
SDS_SETTINGS = SDS(kind="sds", guidance_scale=5.0, t_range=(0.02, 0.98))
ALL = [JSD_SETTINGS, JSD_SETTINGS.model_copy(update={"k": 0.0}), SDS_SETTINGS]


def exact_noise(z_t, a, mean):
    """E[eps | z_t] where clean latents are N(mean, VARIANCE): z_t is N(sqrt(a) mean, a VARIANCE + 1 - a)."""
    return math.sqrt(1 - a) * (z_t - math.sqrt(a) * mean) / (a * VARIANCE + 1 - a)


@dataclass
class Gaussian:
    """A denoiser of latents N(m, VARIANCE), m = `means` (B,) given the text, else 0; it notes the timesteps asked."""

    means: list[float]
    asked: list[list[int]] = field(default_factory=list)
    timesteps: int = 1000

    def alpha(self, t):
        return torch.tensor([1.0 if i < 0 else ALPHAS[i] for i in t.tolist()])

    def __call__(self, z, t, scale):
        self.asked.append(t.tolist())
        # a question before the first timestep is answered as at the first
        a = self.alpha(t.clamp(min=0))[:, None, None, None]
        text, null = (
            (1 - a).sqrt() * (z - a.sqrt() * torch.tensor(m).view(-1, 1, 1, 1)) / (a * VARIANCE + 1 - a)
            for m in (self.means, [0.0] * len(self.means))
        )
        return null + scale * (text - null)


def guided(z_t, t, mean, scale):
    a = ALPHAS[max(t, 0)]
    return exact_noise(z_t, a, 0) + scale * (exact_noise(z_t, a, mean) - exact_noise(z_t, a, 0))


def latents(count):
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(5))


def generators(count, start=0):
    return [torch.Generator().manual_seed(start + i) for i in range(count)]


class Draws:
    """The numbers that a generator of this seed gives."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self):
        return torch.randn(SHAPE, generator=self.generator).double().numpy()

    def uniform(self):
        return float(torch.rand((), generator=self.generator))

    def integer(self, low, high):
        return int(torch.randint(low, high + 1, (), generator=self.generator))


def reference_sds(z, mean, s, draws):
    t = draws.integer(int(s.t_range[0] * 1000), int(s.t_range[1] * 1000))
    a, noise = ALPHAS[t], draws.normal()
    z_t = math.sqrt(a) * z + math.sqrt(1 - a) * noise
    gradient = (1 - a) * (guided(z_t, t, mean, s.guidance_scale) - noise)
    return gradient, 0.5 * (gradient**2).sum()


def reference_jsd(z, mean, s, draws, progress):
    t = int(1000 * (s.t_range[1] + (s.t_range[0] - s.t_range[1]) * progress))
    offset = int(draws.uniform() * 100)
    levels = [-99, *(i for i in (1, 101, 201, 301, 401, 501, 601, 701, 801, 901) if i < t), min(t + offset, 999)]
    x = z
    for here, there in pairwise(levels):
        a = 1.0 if here < 0 else ALPHAS[here]
        b = ALPHAS[there]
        noise = guided(x, here, mean, s.inversion_scale)
        clean = (x - math.sqrt(1 - a) * noise) / math.sqrt(a)
        variance = (1 - a) / (1 - b) * (1 - b / a)
        x = math.sqrt(b) * clean + math.sqrt(1 - b) * noise
        x = x + s.inversion_eta * math.sqrt(variance) * draws.normal()
    a = ALPHAS[t]

    def denoise(x):
        return (x - math.sqrt(1 - a) * guided(x, t, mean, s.guidance_scale)) / math.sqrt(a)

    high = denoise(x)
    gradient, loss = z - high, 0.5 * ((z - high) ** 2).mean()
    if s.k:
        low = denoise(math.sqrt(a) * high + math.sqrt(1 - a) * draws.normal())
        gradient, loss = gradient + s.k * (z - low), loss + s.k * 0.5 * ((z - low) ** 2).mean()
    return gradient / z.size, loss


@pytest.mark.parametrize("seed", range(5))
def test_sds_is_the_formula(seed):
    z = latents(1)
    found = objectives.build(SDS_SETTINGS)(z, Gaussian([1.5]), 0.3, generators(1, seed))
    gradient, loss = reference_sds(z[0].double().numpy(), 1.5, SDS_SETTINGS, Draws(seed))
    assert np.allclose(found.gradient[0].numpy(), gradient, rtol=1e-4, atol=1e-5)
    assert found.loss[0].item() == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("k", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("progress", [0.0, 0.37, 0.999])
def test_jsd_is_the_formula(progress, k):
    settings = JSD_SETTINGS.model_copy(update={"k": k})
    z = latents(1)
    found = objectives.build(settings)(z, Gaussian([1.5]), progress, generators(1, 7))
    gradient, loss = reference_jsd(z[0].double().numpy(), 1.5, settings, Draws(7), progress)
    assert np.allclose(found.gradient[0].numpy(), gradient, rtol=1e-3, atol=1e-5)
    assert found.loss[0].item() == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("settings", ALL, ids=["jsd", "sdi", "sds"])
def test_a_batch_gives_what_its_items_give_one_by_one(settings):
    z, means = latents(3), [1.0, -2.0, 0.5]
    objective = objectives.build(settings)
    batch = objective(z, Gaussian(means), 0.5, generators(3))
    for i in range(3):
        one = objective(z[i : i + 1], Gaussian(means[i : i + 1]), 0.5, generators(1, i))
        assert torch.equal(batch.gradient[i : i + 1], one.gradient)
        assert torch.equal(batch.loss[i : i + 1], one.loss)
        assert {k: v[i].item() for k, v in batch.diagnostics.items()} == {
            k: v.item() for k, v in one.diagnostics.items()
        }


@pytest.mark.parametrize("settings", ALL, ids=["jsd", "sdi", "sds"])
@pytest.mark.parametrize("t", [0.0, 1.0])
def test_finite_at_both_ends_of_the_schedule(settings, t):
    settings = settings.model_copy(update={"t_range": (t, t)})
    found = objectives.build(settings)(latents(4), Gaussian([1.0] * 4), 0.0, generators(4))
    assert found.gradient.isfinite().all()
    assert found.loss.isfinite().all()


def test_without_k_the_low_density_estimate_is_not_asked_for():
    asked = {}
    for k in (0.0, 1.0):
        guide = Gaussian([1.0])
        objectives.build(JSD_SETTINGS.model_copy(update={"k": k}))(latents(1), guide, 0.0, generators(1))
        asked[k] = guide.asked
    # t = 980: eleven steps of inversion, from -99, 1, 101, ..., 901
    assert [t[0] for t in asked[0.0]] == [-99, 1, 101, 201, 301, 401, 501, 601, 701, 801, 901, 980]
    assert asked[1.0] == [*asked[0.0], [980]]


def test_the_first_timestep_can_be_clamped():
    guide = Gaussian([1.0])
    objectives.build(JSD_SETTINGS.model_copy(update={"clamp_first_timestep": True}))(
        latents(1), guide, 1.0, generators(1)
    )
    assert [t[0] for t in guide.asked] == [0, 1, 101, 201, 250, 250]


@pytest.mark.parametrize(
    ("t", "u", "levels"),
    [
        (250, 0.0, [-99, 1, 101, 201, 250]),
        (250, 0.999, [-99, 1, 101, 201, 349]),
        (301, 0.5, [-99, 1, 101, 201, 351]),
        (302, 0.5, [-99, 1, 101, 201, 301, 352]),
        (980, 0.0, [-99, 1, 101, 201, 301, 401, 501, 601, 701, 801, 901, 980]),
        (980, 0.19, [-99, 1, 101, 201, 301, 401, 501, 601, 701, 801, 901, 999]),
        (980, 0.9, [-99, 1, 101, 201, 301, 401, 501, 601, 701, 801, 901, 999]),
        (1, 0.0, [-99, 1]),
        (0, 0.0, [-99, 0]),
    ],
)
def test_the_inversions_timesteps_by_hand(t, u, levels):
    assert inversion_timesteps(t, 10, 1000, u) == levels


@given(st.integers(0, 999), st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_the_inversions_timesteps_rise_to_the_last(t, steps, u):
    levels = inversion_timesteps(t, steps, 1000, u)
    assert all(a < b for a, b in pairwise(levels))
    assert t <= levels[-1] <= 999
    assert len(levels) <= steps + 2


@pytest.mark.parametrize(("progress", "t"), [(0.0, 980), (0.5, 615), (1.0, 250), (0.0001, 979)])
def test_the_timestep_falls_linearly(progress, t):
    assert annealed_timestep(progress, (0.25, 0.98), 1000) == t


def test_a_run_asks_as_often_as_the_public_code():
    # 9.625 guided calls an iteration, 7.625 of them for the inversion (reference of the public code)
    steps = [len(inversion_timesteps(annealed_timestep(i / 10_000, (0.25, 0.98), 1000), 10, 1000, 0.5)) - 1
             for i in range(10_000)]  # fmt: skip
    assert sum(steps) / 10_000 == pytest.approx(7.625, abs=0.02)


def test_every_kind_of_recipe_has_its_objective():
    union = get_args(get_args(Objective)[0])
    assert {get_args(model.model_fields["kind"].annotation)[0] for model in union} == set(objectives.OBJECTIVES)
