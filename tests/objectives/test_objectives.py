"""Objectives against plain NumPy, on a Gaussian world whose denoiser is known exactly."""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from jsdpipe import objectives
from jsdpipe.base.errors import UserError
from jsdpipe.base.registry import load_plugin
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.asd_asynchronous import later_timestep
from jsdpipe.objectives.base import Progress
from jsdpipe.objectives.sdi import annealed_timestep, inversion_timesteps
from jsdpipe.objectives.settings import AdamW

SHAPE = (2, 3, 3)
ROOTS = np.linspace(0.00085**0.5, 0.012**0.5, 1000)
ALPHAS = np.cumprod(1 - ROOTS**2)
VARIANCE = 0.3
HALF = (0.02, 0.98)


def settings_of(kind, **stated):
    return OBJECTIVES[kind].Settings(kind=kind, **stated)


JSD_SETTINGS = settings_of(
    "jsd", guidance_scale=3.0, inversion_scale=-2.0, inversion_steps=10, inversion_eta=0.3, k=1.0, t_range=(0.25, 0.98)
)
SDI_SETTINGS = settings_of("sdi", **JSD_SETTINGS.model_dump(exclude={"kind", "k", "warm_up"}))
SDS_SETTINGS = settings_of("sds", guidance_scale=5.0, t_range=HALF)
SJC_SETTINGS = settings_of("sjc", guidance_scale=5.0, t_range=(0.01, 0.97))
CSD_SETTINGS = settings_of("csd", t_range=(0.02, (50, 0.98, 0.5, 50)))
NFSD_SETTINGS = settings_of("nfsd", guidance_scale=7.5, t_range=HALF, negative_prompt="ugly")
VSD_SETTINGS = settings_of("vsd", guidance_scale=7.5, t_range=HALF, adapter_lr=0.01, camera_dropout=0.1)
SIM_SETTINGS = settings_of("sim", **VSD_SETTINGS.model_dump(exclude={"kind"}), until=0.5)
ADVERSARIAL = settings_of(
    "asd-adversarial", guidance_scale=7.5, t_range=HALF, adapter_lr=0.01, camera_dropout=0.1, gamma=-0.75
)
ASYNCHRONOUS = settings_of("asd-asynchronous", guidance_scale=7.5, t_range=HALF, shift=0.1)
ISM_SETTINGS = settings_of(
    "ism", guidance_scale=7.5, t_range=(0.02, 0.5), interval=(0, 100, 50, 80), inversion_steps=5, inversion_stride=200
)
VELOCITY = ADVERSARIAL.model_copy(update={"adapter_loss": "velocity"})
FADING_CSD = settings_of("csd", t_range=HALF, negative_prompt="ugly", negative_share=(0, 0.0, 1.0, 50), unit_norm=True)
PUBLIC_ISM = settings_of("ism", **ISM_SETTINGS.model_dump(exclude={"kind", "negative_prompt", "one_based"}),
                         negative_prompt="ugly", one_based=True)  # fmt: skip
ALL = [
    JSD_SETTINGS, JSD_SETTINGS.model_copy(update={"k": 0.0}), SDI_SETTINGS, SDS_SETTINGS, SJC_SETTINGS, CSD_SETTINGS,
    NFSD_SETTINGS, VSD_SETTINGS, SIM_SETTINGS, ADVERSARIAL, VELOCITY, ASYNCHRONOUS, ISM_SETTINGS, FADING_CSD,
    PUBLIC_ISM,
]  # fmt: skip
OTHERWISE = {id(VELOCITY): " of velocity", id(FADING_CSD): ", public", id(PUBLIC_ISM): ", public"}
NAMES = [f"{s.kind}{'' if getattr(s, 'k', 1) else ' without k'}{OTHERWISE.get(id(s), '')}" for s in ALL]
START = Progress(0, 100)
NEGATIVE = -0.7  # the mean of the latents of bad pictures


def exact_noise(z_t, a, mean):
    """E[eps | z_t] where clean latents are N(mean, VARIANCE): z_t is N(sqrt(a) mean, a VARIANCE + 1 - a)."""
    return math.sqrt(1 - a) * (z_t - math.sqrt(a) * mean) / (a * VARIANCE + 1 - a)


class Shift(nn.Module):
    """An adapter of the Gaussian world: adds `text` (A, 1) and, if told the camera, `camera` (A, 1) to the noise."""

    def __init__(self, assets):
        super().__init__()
        self.text = nn.Parameter(torch.zeros(assets, 1))
        self.camera = nn.Parameter(torch.zeros(assets, 1))


@dataclass
class Gaussian:
    """A denoiser of latents N(m, VARIANCE), m = `means` (B,) given the text, else 0; it notes the timesteps asked."""

    means: list[float]
    asked: list[list[int]] = field(default_factory=list)
    timesteps: int = 1000
    final: float = ALPHAS[0]  # the scheduler's alpha before the first timestep

    def alpha_bar(self, t):
        return torch.tensor([self.final if i < 0 else ALPHAS[i] for i in t.tolist()])

    def noise(self, z, t, means):
        self.asked.append(t.tolist())
        # a question before the first timestep is answered as at the first
        a = self.alpha_bar(t.clamp(min=0))[:, None, None, None]
        return (1 - a).sqrt() * (z - a.sqrt() * torch.tensor(means).view(-1, 1, 1, 1)) / (a * VARIANCE + 1 - a)

    def predict_cfg(self, z, t, scale):
        null, direction = self.predict_null_and_direction(z, t)
        return null + scale * direction

    def predict_null_and_direction(self, z, t):
        text = self.predict_text(z, t)
        self.asked.pop()  # text and null are one call
        null = self.predict_null(z, t)
        return null, text - null

    def predict_with_negative(self, z, t):
        return *self.predict_null_and_direction(z, t), self.noise(z, t, [NEGATIVE] * len(z))

    def predict_negative_and_direction(self, z, t):
        negative = self.noise(z, t, [NEGATIVE] * len(z))
        self.asked.pop()  # text and negative are one call
        return negative, self.predict_text(z, t) - negative

    def first_of_asset(self, x):
        return x[[self.means.index(mean) for mean in self.means]]  # items of one text are one asset's

    def predict_text(self, z, t):
        return self.noise(z, t, self.means)

    def predict_pushed_text(self, z, t):
        return self.predict_text(z, t)  # there is no Perp-Neg

    def predict_null(self, z, t):
        return self.noise(z, t, [0.0] * len(z))

    def new_adapter(self, generators):
        return Shift(len(generators))

    def predict_with_adapter(self, adapter, z, t, camera):
        added = adapter.text[:, :, None, None] + camera[:, None, None, None] * adapter.camera[:, :, None, None]
        return self.predict_text(z, t) + added


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
    return gradient / z.size, 0.5 * (gradient**2).mean()


def reference_jsd(z, mean, s, draws, progress, final):
    t = int(1000 * ((s.t_range[1] - s.t_range[0]) * (1 - progress) + s.t_range[0]))
    offset = int(draws.uniform() * 100)
    levels = [-99, *(i for i in (1, 101, 201, 301, 401, 501, 601, 701, 801, 901) if i < t), min(t + offset, 999)]
    x = z
    for here, there in pairwise(levels):
        a = final if here < 0 else ALPHAS[here]
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


def noised(z, t, noise):
    return math.sqrt(ALPHAS[t]) * z + math.sqrt(1 - ALPHAS[t]) * noise


def reference_sjc(z, mean, s, draws, step):
    t = draws.integer(10, 970)
    noise = draws.normal()
    return guided(noised(z, t, noise), t, mean, s.guidance_scale) - noise


def reference_csd(z, mean, s, draws, step):
    t = draws.integer(20, 980 if step <= 50 else 500)
    z_t = noised(z, t, draws.normal())
    return (1 - ALPHAS[t]) * (exact_noise(z_t, ALPHAS[t], mean) - exact_noise(z_t, ALPHAS[t], 0))


def reference_nfsd(z, mean, s, draws, step):
    t = draws.integer(20, 980)
    a, z_t = ALPHAS[t], noised(z, t, draws.normal())
    text, null, bad = (exact_noise(z_t, a, m) for m in (mean, 0, NEGATIVE))
    return (1 - a) * ((null if t < 200 else null - bad) + 7.5 * (text - null))


def reference_asynchronous(z, mean, s, draws, step):
    t = draws.integer(20, 980)
    noise = draws.normal()
    later = t + int(draws.uniform() * min(0.1 * (t - 20), 999 - t))
    near = guided(noised(z, t, noise), t, mean, s.guidance_scale)
    return (1 - ALPHAS[t]) * (near - exact_noise(noised(z, later, noise), ALPHAS[later], mean))


def reference_ism(z, mean, s, draws, step):
    t = draws.integer(20, 500)
    before = max(t - int(100 - 50 * min(step, 80) / 80), 0)
    start = max(before - 1000, 0)
    x = noised(z, start, draws.normal())
    levels = [start]
    while levels[-1] < before:
        levels.append(min(levels[-1] + 200, before))
    for here, there in pairwise([*levels, t]):
        noise = exact_noise(x, ALPHAS[here], 0)
        clean = (x - math.sqrt(1 - ALPHAS[here]) * noise) / math.sqrt(ALPHAS[here])
        x = noised(clean, there, noise)
    return math.sqrt((1 - ALPHAS[t]) / ALPHAS[t]) * (guided(x, t, mean, s.guidance_scale) - noise)


def reference_fading_csd(z, mean, s, draws, step):
    t = draws.integer(20, 980)
    z_t = noised(z, t, draws.normal())
    text, null, bad = (exact_noise(z_t, ALPHAS[t], m) for m in (mean, 0, NEGATIVE))
    share = min(step, 50) / 50
    gradient = text - share * bad - (1 - share) * null
    return gradient / np.sqrt((gradient**2).sum())


def reference_public_ism(z, mean, s, draws, step):
    """Indices from 0 to the upper end, without it, are timesteps less 1; iterations count from 1."""
    index = draws.integer(20, 499)
    before = max(index - int(100 - 50 * min(step + 1, 80) / 80), 0)
    x = noised(z, 1, draws.normal())
    levels = [0]
    while levels[-1] < before:
        levels.append(min(levels[-1] + 200, before))
    for here, there in pairwise([i + 1 for i in [*levels, index]]):
        noise = exact_noise(x, ALPHAS[here], 0)
        clean = (x - math.sqrt(1 - ALPHAS[here]) * noise) / math.sqrt(ALPHAS[here])
        x = noised(clean, there, noise)
    a = ALPHAS[index + 1]
    text, bad = exact_noise(x, a, mean), exact_noise(x, a, NEGATIVE)
    return math.sqrt((1 - a) / a) * (bad + s.guidance_scale * (text - bad) - noise)


REFERENCES = {
    "sjc": (SJC_SETTINGS, reference_sjc),
    "csd": (CSD_SETTINGS, reference_csd),
    "nfsd": (NFSD_SETTINGS, reference_nfsd),
    "asd-asynchronous": (ASYNCHRONOUS, reference_asynchronous),
    "ism": (ISM_SETTINGS, reference_ism),
    "csd, public": (FADING_CSD, reference_fading_csd),
    "ism, public": (PUBLIC_ISM, reference_public_ism),
}


@pytest.mark.parametrize("kind", REFERENCES)
def test_the_gradient_is_the_formula(kind):
    settings, reference = REFERENCES[kind]
    z = latents(1)
    # before, at and after the turns of the schedules; t of 20 to 980 is 69, 164, 274, 410 and 863
    for step, seed in ((0, 0), (33, 5), (50, 4), (51, 2), (51, 0), (99, 3)):
        found = objectives.build(settings)(z, Gaussian([1.5]), Progress(step, 100), generators(1, seed))
        gradient = reference(z[0].double().numpy(), 1.5, settings, Draws(seed), step)
        assert np.allclose(found.gradient[0].numpy(), gradient / 18, rtol=2e-3, atol=1e-5)  # 2 x 3 x 3 elements
        assert found.loss[0].item() == pytest.approx(0.5 * (gradient**2).mean(), rel=5e-3)


def test_the_views_of_an_asset_share_ism_s_timestep():
    settings, means = ISM_SETTINGS, [1.0, 1.0, 1.0, 2.0]
    found = objectives.build(settings)(latents(4), Gaussian(means), START, generators(4)).diagnostics["t"]
    alone = [
        objectives.build(settings)(latents(1), Gaussian([1.0]), START, generators(1, i)).diagnostics["t"].item()
        for i in (0, 3)
    ]
    assert found.tolist() == [alone[0]] * 3 + [alone[1]]
    assert alone[0] != alone[1]


def test_csd_asks_for_no_null_text_that_has_no_share():
    asked = []
    for step in (49, 50):
        guidance = Gaussian([1.0])
        objectives.build(FADING_CSD)(latents(1), guidance, Progress(step, 100), generators(1))
        asked.append(len(guidance.asked))
    assert asked == [2, 1]


def test_sjc_is_sds_without_its_weight():
    sds = SDS_SETTINGS.model_copy(update={"t_range": SJC_SETTINGS.t_range})
    one = objectives.build(SJC_SETTINGS)(latents(1), Gaussian([1.5]), START, generators(1, 3))
    other = objectives.build(sds)(latents(1), Gaussian([1.5]), START, generators(1, 3))
    weight = 1 - ALPHAS[int(one.diagnostics["t"])]
    assert torch.allclose(one.gradient * weight, other.gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("t", "u", "later"),
    [
        (980, 0.5, 989),
        (980, 0.99, 998),
        (915, 0.99, 998),
        (500, 0.99, 547),
        (999, 0.99, 999),
        (20, 0.99, 20),
        (0, 0.5, 1),
    ],
)
def test_the_later_timestep_by_hand(t, u, later):
    """Of 980 at most 19 later, not 0.1 (980 - 20) = 96; of 915 at most 84, not 89.5; of 500 at most 48."""
    found = later_timestep(torch.tensor([t]), torch.tensor([0.1 * (t - min(t, 20))]), torch.tensor([u]), 1000)
    assert found.tolist() == [later]


def reference_vsd_step(z, mean, draws, shift, gamma, velocity):
    """The gradient on z at the adapter's shifts (text, camera), and the adapter's own gradient and loss."""
    text_shift, camera_shift = shift
    t = draws.integer(20, 980)
    z_t = noised(z, t, draws.normal())
    rendered = exact_noise(z_t, ALPHAS[t], mean) + text_shift + camera_shift
    gradient = (1 - ALPHAS[t]) * (guided(z_t, t, mean, 7.5) - rendered)
    t, noise = draws.integer(0, 999), draws.normal()
    told = draws.uniform() >= 0.1
    a = ALPHAS[t]
    z_t = noised(z, t, noise)
    text = exact_noise(z_t, a, mean)
    found = text + text_shift + told * camera_shift
    slope = 1.0  # of what is compared, by the shifts
    if velocity:
        found, slope = (found - math.sqrt(1 - a) * z_t) / math.sqrt(a), 1 / math.sqrt(a)
        noise, text = (math.sqrt(a) * e - math.sqrt(1 - a) * z for e in (noise, text))
    loss = ((found - noise) ** 2).mean() + gamma * ((found - text) ** 2).mean()
    slope *= 2 * (found - noise).mean() + gamma * 2 * (found - text).mean()
    return gradient, (slope, told * slope), loss


@pytest.mark.parametrize("velocity", [False, True], ids=["noise", "velocity"])
@pytest.mark.parametrize("optimizer", [{}, {"betas": (0.9, 0.99), "eps": 1e-15, "weight_decay": 0.1}])
@pytest.mark.parametrize(("settings", "gamma"), [(VSD_SETTINGS, 0.0), (ADVERSARIAL, -0.75)], ids=["vsd", "adversarial"])
def test_an_adapter_learns_beside_the_gradient(settings, gamma, optimizer, velocity):
    stated = {"adapter_loss": "velocity" if velocity else "noise", "adapter_optimizer": AdamW(**optimizer)}
    objective, z, draws = objectives.build(settings.model_copy(update=stated)), latents(1), Draws(11)
    generator, shift = generators(1, 11), np.zeros(2)
    mean, square = np.zeros(2), np.zeros(2)
    (one, two), eps = optimizer.get("betas", (0.9, 0.999)), optimizer.get("eps", 1e-8)
    for step in range(1, 6):
        found = objective(z, Gaussian([1.5]), START, generator)
        gradient, slopes, loss = reference_vsd_step(z[0].double().numpy(), 1.5, draws, shift, gamma, velocity)
        assert np.allclose(found.gradient[0].numpy(), gradient / 18, rtol=1e-3, atol=1e-5)
        assert found.diagnostics["adapter"].item() == pytest.approx(loss, rel=1e-3)
        # AdamW by hand, at a rate of 0.01
        slopes = np.array(slopes, dtype=float)
        mean, square = one * mean + (1 - one) * slopes, two * square + (1 - two) * slopes**2
        shift = shift * (1 - 0.01 * optimizer.get("weight_decay", 0.01))
        shift = shift - 0.01 * (mean / (1 - one**step)) / (np.sqrt(square / (1 - two**step)) + eps)
    assert objective.adapter.text.item() == pytest.approx(shift[0], rel=1e-2)
    assert objective.adapter.camera.item() == pytest.approx(shift[1], rel=1e-2)


@pytest.mark.parametrize(
    "settings", [VSD_SETTINGS, SIM_SETTINGS, ADVERSARIAL, SDS_SETTINGS], ids=["vsd", "sim", "adversarial", "sds"]
)
def test_an_objective_goes_on_from_its_state(settings):
    guidance, z = Gaussian([1.5, -1.0]), latents(2)

    def run(objective, draws, steps):
        for step in steps:
            output = objective(z, guidance, Progress(step, 6), draws)
        return output

    whole = run(objectives.build(settings), generators(2), range(6))
    first, draws = objectives.build(settings), generators(2)
    run(first, draws, range(3))
    state = {k: v.clone() for k, v in first.state_dict().items()}
    second = objectives.build(settings)
    second.load_state_dict(state, guidance, generators(2))
    assert torch.equal(run(second, draws, range(3, 6)).gradient, whole.gradient)


class Curved(Gaussian):
    """A denoiser that is not linear in z, so that guided and rendered noise have other slopes."""

    def noise(self, z, t, means):
        return super().noise(z, t, means) + torch.tensor(means).view(-1, 1, 1, 1) * z.sin()


def sim_by_differences(z, guidance, t, noise, shift):
    """The gradient (18,) of SIM's loss as its public code states it, a sum, by central differences."""
    a = guidance.alpha_bar(t)

    def loss(z):
        z_t = a.sqrt() * z + (1 - a).sqrt() * noise
        text, null = (guidance.noise(z_t, t, [mean]) for mean in (*guidance.means, 0.0))
        c, e_q = -(1 - a).sqrt() / a.sqrt(), text + shift
        d = c * (text + 6.5 * (text - null) - e_q)
        return (d / d.square().sum().sqrt() * c * (e_q - noise)).sum()

    steps = 1e-5 * torch.eye(z.numel(), dtype=torch.float64).view(-1, *z.shape)
    return torch.stack([(loss(z + h) - loss(z - h)) / 2e-5 for h in steps]), loss(z)


@pytest.mark.parametrize(("low", "high"), [(20, 980), (0, 0), (999, 999)])
def test_sims_gradient_is_the_slope_of_its_loss_through_both_predictions(low, high):
    z, means, shifts = latents(3).double(), [1.5, -2.0, 0.3], [0.0] * 3
    objective = objectives.build(SIM_SETTINGS.model_copy(update={"t_range": (low / 1000, high / 1000)}))
    draws, again = generators(3, 7), [Draws(7 + i) for i in range(3)]
    for step in (0, 20, 49):
        found = objective(z, Curved(means), Progress(step, 100), draws)
        for i, drawn in enumerate(again):
            t, noise = torch.tensor([drawn.integer(low, high)]), torch.from_numpy(drawn.normal())
            gradient, loss = sim_by_differences(z[i : i + 1], Curved(means[i : i + 1]), t, noise, shifts[i])
            assert found.diagnostics["t"][i] == t
            assert torch.allclose(found.gradient[i].flatten() * 18, gradient, rtol=1e-6, atol=1e-6)
            assert (found.loss[i] * 18).item() == pytest.approx(loss.item(), rel=1e-6)
            drawn.integer(0, 999), drawn.normal(), drawn.uniform()  # for the adapter's training
        shifts = (objective.adapter.text + objective.adapter.camera).flatten().tolist()


def test_sim_is_vsd_from_its_turn_on_to_the_last_bit():
    vsd, sim = objectives.build(VSD_SETTINGS), objectives.build(SIM_SETTINGS)
    one, other = (o(latents(2), Curved([1.5, 1.0]), Progress(50, 100), generators(2)) for o in (vsd, sim))
    assert torch.equal(one.gradient, other.gradient)
    assert torch.equal(one.loss, other.loss)
    before = objectives.build(SIM_SETTINGS)(latents(2), Curved([1.5, 1.0]), Progress(49, 100), generators(2))
    assert not torch.allclose(one.gradient, before.gradient)


def test_sim_stands_still_where_both_predictions_agree():
    agreeing = SIM_SETTINGS.model_copy(update={"guidance_scale": 0.0})  # the null text's noise, as by a mean of 0
    found = objectives.build(agreeing)(latents(2), Curved([0.0, 1.5]), START, generators(2))
    assert torch.equal(found.gradient[0], torch.zeros(SHAPE))
    assert found.loss[0] == 0
    assert (found.gradient[1] != 0).all()


def test_without_k_and_in_its_warm_up_jsd_is_sdi_to_the_last_bit():
    sdi = objectives.build(SDI_SETTINGS)
    for update, progress in (({"k": 0.0}, START), ({"warm_up": 0.5}, Progress(49, 100))):
        jsd = objectives.build(JSD_SETTINGS.model_copy(update=update))
        one, other = (o(latents(3), Gaussian([1.0, 2.0, 3.0]), progress, generators(3)) for o in (jsd, sdi))
        assert torch.equal(one.gradient, other.gradient)
        assert torch.equal(one.loss, other.loss)
    after = objectives.build(JSD_SETTINGS.model_copy(update={"warm_up": 0.5}))
    assert "low" in after(latents(1), Gaussian([1.0]), Progress(50, 100), generators(1)).diagnostics


@pytest.mark.parametrize("seed", [0, 3])  # a low and a high timestep
def test_sds_is_the_formula(seed):
    z = latents(1)
    found = objectives.build(SDS_SETTINGS)(z, Gaussian([1.5]), Progress(30, 100), generators(1, seed))
    gradient, loss = reference_sds(z[0].double().numpy(), 1.5, SDS_SETTINGS, Draws(seed))
    assert np.allclose(found.gradient[0].numpy(), gradient, rtol=1e-4, atol=1e-6)
    assert found.loss[0].item() == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize(
    ("progress", "k", "final"),
    [(0.0, 1.0, ALPHAS[0]), (0.37, 0.4, ALPHAS[0]), (0.37, 1.0, 1.0), (0.999, 0.0, 1.0)],
)
def test_jsd_is_the_formula(progress, k, final):
    settings = JSD_SETTINGS.model_copy(update={"k": k})
    z, guidance = latents(1), Gaussian([1.5], final=final)
    found = objectives.build(settings)(z, guidance, Progress(int(1000 * progress), 1000), generators(1, 7))
    gradient, loss = reference_jsd(z[0].double().numpy(), 1.5, settings, Draws(7), progress, final)
    assert np.allclose(found.gradient[0].numpy(), gradient, rtol=1e-3, atol=1e-5)
    assert found.loss[0].item() == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("to_one", [False, True])
def test_the_target_is_that_of_diffusers_schedulers(to_one):
    schedule = {
        "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1,
        "clip_sample": False, "set_alpha_to_one": to_one,
    }  # fmt: skip
    inverse, forward = DDIMInverseScheduler(**schedule), DDIMScheduler(**schedule)
    for scheduler in (inverse, forward):
        scheduler.set_timesteps(10)
    guidance = Gaussian([1.5], final=float(forward.final_alpha_cumprod))
    # a draw below 0.01, so that the inversion ends at t = 301, a timestep of theirs
    seed = next(i for i in range(1000) if torch.rand((), generator=torch.Generator().manual_seed(i)) < 0.01)
    objective = objectives.build(SDI_SETTINGS.model_copy(update={"inversion_eta": 0.0}))
    found = objective.estimate(latents(1), guidance, 301, generators(1, seed))
    x = latents(1)
    for here, there in pairwise([-99, 1, 101, 201, 301]):
        x = inverse.step(
            guidance.predict_cfg(x, torch.tensor([here]), SDI_SETTINGS.inversion_scale), there, x
        ).prev_sample
    noise = guidance.predict_cfg(x, torch.tensor([301]), SDI_SETTINGS.guidance_scale)
    expected = forward.step(noise, 301, x).pred_original_sample
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", ALL, ids=NAMES)
def test_a_batch_gives_what_its_items_give_one_by_one(settings):
    z, means = latents(3), [1.0, -2.0, 0.5]
    objective, draws = objectives.build(settings), generators(3)
    for step in (40, 41):
        batch = objective(z, Gaussian(means), Progress(step, 100), draws)
    for i in range(3):
        objective, draws = objectives.build(settings), generators(1, i)
        for step in (40, 41):
            one = objective(z[i : i + 1], Gaussian(means[i : i + 1]), Progress(step, 100), draws)
        assert torch.equal(batch.gradient[i : i + 1], one.gradient)
        assert torch.equal(batch.loss[i : i + 1], one.loss)
        assert {k: v[i].item() for k, v in batch.diagnostics.items()} == {
            k: v.item() for k, v in one.diagnostics.items()
        }


@pytest.mark.parametrize("settings", ALL, ids=NAMES)
def test_finite_at_both_ends_of_the_schedule(settings):
    for t in (0.0, 1.0):
        of_end = settings.model_copy(update={"t_range": (t, t)})
        found = objectives.build(of_end)(latents(4), Gaussian([1.0] * 4), START, generators(4))
        assert found.gradient.isfinite().all()
        assert found.loss.isfinite().all()


def test_without_k_the_low_density_estimate_is_not_asked_for():
    asked = {}
    for k in (0.0, 1.0):
        guidance = Gaussian([1.0])
        objectives.build(JSD_SETTINGS.model_copy(update={"k": k}))(latents(1), guidance, START, generators(1))
        asked[k] = guidance.asked
    # t = 980: eleven steps of inversion, from -99, 1, 101, ..., 901
    assert [t[0] for t in asked[0.0]] == [-99, 1, 101, 201, 301, 401, 501, 601, 701, 801, 901, 980]
    assert asked[1.0] == [*asked[0.0], [980]]


def test_the_first_timestep_can_be_clamped():
    guidance = Gaussian([1.0])
    objectives.build(JSD_SETTINGS.model_copy(update={"clamp_first_timestep": True}))(
        latents(1), guidance, Progress(1000, 1000), generators(1)
    )
    assert [t[0] for t in guidance.asked] == [0, 1, 101, 201, 250, 250]


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


@pytest.mark.parametrize(("progress", "t"), [(0.0, 980), (0.5, 615), (1.0, 250), (0.0001, 979), (0.8, 395)])
def test_the_timestep_falls_linearly(progress, t):
    assert annealed_timestep(progress, (0.25, 0.98), 1000) == t


def test_a_run_asks_as_often_as_the_public_code():
    # 9.625 guided calls an iteration, 7.625 of them for the inversion (reference of the public code)
    steps = [len(inversion_timesteps(annealed_timestep(i / 10_000, (0.25, 0.98), 1000), 10, 1000, 0.5)) - 1
             for i in range(10_000)]  # fmt: skip
    assert sum(steps) / 10_000 == pytest.approx(7.625, abs=0.02)


PLUGIN = """
import torch
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import Objective, Output

@OBJECTIVES.register("odd")
class Odd(Objective):
    {body}
"""


@pytest.fixture
def plugin(tmp_path, forget_plugins):
    """Writes and loads a plugin with an objective of this body; returns its file."""

    def load(body):
        path = tmp_path / "odd.py"
        path.write_text(PLUGIN.format(body=body))
        load_plugin(path)
        return path

    return load


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("z", "Tensor"),
        ("None", "NoneType"),
        ("Output(z[0], z[:, 0, 0, 0])", "(2, 3, 3) as its gradient; return a tensor of shape (2, 2, 3, 3)"),
        ("Output(z, z.mean())", "() as its loss; return a tensor of shape (2,)"),
        ("Output(z, 0.5)", "float as its loss"),
        ("Output.from_gradient(z, t=torch.ones(3))", "(3,) as its diagnostic 't'"),
    ],
)
def test_an_output_of_another_form_is_refused(plugin, returned, said):
    path = plugin(f"def compute(self, z, guidance, progress, generators): return {returned}")
    objective = objectives.build(settings_of("odd"))
    with pytest.raises(UserError) as error:
        objective(latents(2), Gaussian([1.0, 1.0]), START, generators(2))
    assert str(error.value).startswith(f"{path}: objective 'odd': compute returned {said}")


@pytest.mark.parametrize(
    ("body", "words"), [("pass", ["'odd'", "compute"]), ("Settings = dict", ["Settings", "ObjectiveSettings"])]
)
def test_an_objective_that_lacks_a_part_is_refused(plugin, tmp_path, body, words):
    with pytest.raises(UserError) as error:
        plugin(body)
    assert str(error.value).startswith(f"{tmp_path / 'odd.py'}: line ")
    assert all(word in str(error.value) for word in words)


def test_an_objective_needs_no_settings_and_no_negative_prompt(plugin):
    plugin("def compute(self, z, guidance, progress, generators): return Output.from_gradient(z)")
    objective = objectives.build(settings_of("odd"))
    assert objective.negative_prompt is None
    assert objectives.build(NFSD_SETTINGS).negative_prompt == "ugly"
    assert torch.equal(objective(latents(2), Gaussian([1.0, 1.0]), START, generators(2)).gradient, latents(2) / 18)
