"""VSD and both ASDs over whole runs in double precision, beside what the public codes compute.

The references are written from the mathematics of threestudio's `stable_diffusion_vsd_guidance` and of
`stable_diffusion_asd_guidance` in 2y7c3/ASD and theEricMa/ScaleDreamer. They see one asset each, ours a batch. Noise,
timesteps, embeddings and the adapter's first weights are the same. `pytest -s` prints the largest differences, which
docs/parity.md states.
"""

import copy
import math

import pytest
import tiny_models
import torch
from diffusers.models.embeddings import TimestepEmbedding
from torch import nn
from torch.nn.functional import mse_loss
from torch.nn.utils import parametrize

from jsdpipe import objectives
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import Progress
from jsdpipe.prior.denoiser import load_adapter_unet
from jsdpipe.prior.guidance import GuidedPrior
from jsdpipe.prior.prior import load_prior

STEPS = 6
RATE = 0.05  # of the latents, which follow the gradient
ALPHAS = (1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2).cumprod(0)
PROMPTS = ("a ball", "a cube")
DIRECTIONS = ("front", "side", "back")
AZIMUTH = (35.0, -130.0)  # degrees
TOLERANCE = 1e-6
VSD = {
    "guidance_scale": 7.5,
    "t_range": (0.02, (2, 0.98, 0.5, 3)),  # the upper end falls once, as in the public code after step 5,000
    "adapter_lr": 0.003,
    "camera_dropout": 0.1,
    "adapter_optimizer": {"betas": (0.9, 0.99), "eps": 1e-15},
}


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def stirred(denoiser, seed):
    """The denoiser in double precision, with weights of this seed."""
    draw = torch.Generator().manual_seed(seed)
    denoiser.unet.double()
    with torch.no_grad():
        for parameter in denoiser.unet.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=draw)
    denoiser.dtype, denoiser.alphas = torch.float64, torch.cat((ALPHAS, ALPHAS[:1]))
    return denoiser


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A model that predicts noise, and one that predicts velocity."""
    kinds = ("epsilon", "v_prediction")
    return {kind: tiny_models.diffusion(tmp_path_factory.mktemp(kind), prediction_type=kind) for kind in kinds}


def load(folders, predicts, adapter=None):
    prior = load_prior(str(folders[predicts]))
    if adapter:
        prior.adapted = stirred(load_adapter_unet(str(folders[adapter]), None, prior, folders[predicts]), 2)
    return stirred(prior, 1)


def threestudio_weights(azimuth):
    """threestudio's weights of the two negatives: a exp(-b r) + c, negated."""

    def f(a, b, c, r):
        return -(a * math.exp(-b * r) + c)

    r = 1 - abs(azimuth) / 90
    if r > 0:
        return f(4, 0.5, -2.426, r), f(4, 0.5, -2.426, 1 - r)
    return f(1, 0.5, -0.606, 1 + r), f(1, 0.5, 0.967, 1 + r)


def own_weights(azimuth):
    """Those of adversarial ASD's public code."""
    r = 1 - abs(azimuth) / 90
    if r > 0:
        return 0.0 if r > 0.8 else -2 * math.exp(-2 * r), 0.0 if r < 0.2 else -2 * math.exp(-10 * (1 - r))
    return 0.0 if 1 + r > 0.8 else -2 * math.exp(-10 * (1 + r)) / 2, -2.0


def view(prior, prompt, azimuth, weights):
    """The texts of an item: positive, null and two negatives, the plain text, and the negatives' weights or None."""
    directed = dict(zip(DIRECTIONS, prior.embed([f"{prompt}, {name} view" for name in DIRECTIONS]), strict=True))
    null, plain = prior.embed(["", prompt])
    if weights is None:
        return [directed["front" if abs(azimuth) < 45 else "side"], null], plain, None
    r = 1 - abs(azimuth) / 90
    near, far, wrong = ("front", "side", ("front", "side")) if r > 0 else ("side", "back", ("side", "front"))
    positive = (r % 1) * directed[near] + (1 - r % 1) * directed[far]
    return [positive, null, *(directed[name] for name in wrong)], plain, weights(azimuth)


def perpendicular(x, y):
    return x - (x * y).sum() / (y * y).sum().clamp(min=1e-6) * y


def noised(z, noise, t):
    return ALPHAS[t] ** 0.5 * z + (1 - ALPHAS[t]) ** 0.5 * noise


class Replay:
    """The numbers of one item's generator."""

    def __init__(self, generator):
        self.generator = generator

    def timestep(self, low, high):
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def noise(self, z):
        return torch.randn(z.shape, generator=self.generator)

    def uniform(self):
        return float(torch.rand((), generator=self.generator))


class Public:
    """What the public codes share: the pretrained model's predictions for one item."""

    def __init__(self, prior, texts, plain, weights, pose):
        self.unet, self.velocity = prior.unet, prior.prediction_type == "v_prediction"
        self.texts, self.plain, self.weights, self.pose = texts, plain, weights, pose

    def pretrained(self, z_t, t, text):
        with torch.no_grad():
            found = self.unet(z_t[None], t, text.double()[None]).sample[0]
        return (1 - ALPHAS[t]) ** 0.5 * z_t + ALPHAS[t] ** 0.5 * found if self.velocity else found

    def guided(self, z_t, t, scale=7.5):
        text, null, *negatives = (self.pretrained(z_t, t, embedding) for embedding in self.texts)
        e_pos = text - null
        pushes = torch.zeros_like(e_pos)
        for weight, negative in zip(self.weights or (), negatives, strict=True):
            if abs(weight) > 1e-4:
                pushes += weight * perpendicular(negative - null, e_pos)
        return null + scale * (e_pos + pushes)


class Added(nn.Module):
    """A weight with a LoRA's product added."""

    def __init__(self, down, up):
        super().__init__()
        self.down, self.up = nn.Parameter(down.clone()), nn.Parameter(up.clone())

    def forward(self, weight):
        return weight + self.up @ self.down


class PublicAdapter(Public):
    """VSD, and with `gamma` adversarial ASD: a LoRA, and the camera as diffusers' class embedding."""

    def __init__(self, prior, texts, plain, weights, pose, adapter, item, in_velocity, gamma):
        super().__init__(prior, texts, plain, weights, pose)
        self.gamma, self.in_velocity = gamma, in_velocity
        self.adapter_velocity = prior.adapted.prediction_type == "v_prediction"
        unet = self.adapted = copy.deepcopy(prior.adapted.unet)
        unet.requires_grad_(False)
        for key in adapter.down:
            added = Added(adapter.down[key][item].detach(), adapter.up[key][item].detach())
            parametrize.register_parametrization(unet.get_submodule(key.replace("/", ".")), "weight", added)
        camera = unet.class_embedding = TimestepEmbedding(16, unet.time_embedding.linear_2.out_features)
        first = (adapter.pose, adapter.pose_bias, adapter.embedding, adapter.embedding_bias)
        own = (camera.linear_1.weight, camera.linear_1.bias, camera.linear_2.weight, camera.linear_2.bias)
        with torch.no_grad():
            for mine, given in zip(own, first, strict=True):
                mine.copy_(given[item])
        trained = [parameter for parameter in unet.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=VSD["adapter_lr"], betas=(0.9, 0.99), eps=1e-15)

    def estimate(self, z_t, t, pose):
        return self.adapted(z_t[None], t, self.plain.double()[None], class_labels=pose[None]).sample[0]

    @torch.no_grad()
    def difference(self, adapter, item):
        """The largest difference of a LoRA's products from those of an item of ours, in shares of the largest."""
        found = []
        for key in adapter.down:
            theirs = self.adapted.get_submodule(key.replace("/", ".")).parametrizations.weight[0]
            expected = theirs.up @ theirs.down
            ours = adapter.up[key][item] @ adapter.down[key][item]
            found.append(float((ours - expected).abs().max() / expected.abs().max()))
        return max(found)

    def step(self, z, step, draws):
        t = draws.timestep(20, 980 if step <= 2 else 500)
        a, z_t = ALPHAS[t], noised(z, draws.noise(z), t)
        with torch.no_grad():
            estimate = self.estimate(z_t, t, self.pose)
        if self.adapter_velocity:
            estimate = z_t * (1 - a) ** 0.5 + estimate * a**0.5
        gradient = (1 - a) * (self.guided(z_t, t) - estimate)

        t = draws.timestep(0, 999)
        a, noise = ALPHAS[t], draws.noise(z)
        z_t = noised(z, noise, t)
        pose = torch.zeros_like(self.pose) if draws.uniform() < 0.1 else self.pose
        e_pos, *negatives = (self.pretrained(z_t, t, self.texts[i]) for i in (0, *range(2, len(self.texts))))
        text = e_pos + sum(
            weight * perpendicular(negative, e_pos)
            for weight, negative in zip(self.weights or (), negatives, strict=True)
        )
        found = self.estimate(z_t, t, pose)
        if self.in_velocity:
            noise, text = (a**0.5 * e - (1 - a) ** 0.5 * z for e in (noise, text))
            found = found if self.adapter_velocity else (found - (1 - a) ** 0.5 * z_t) / a**0.5
        elif self.adapter_velocity:
            found = z_t * (1 - a) ** 0.5 + found * a**0.5
        loss = mse_loss(found, noise) + self.gamma * mse_loss(found, text)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return gradient


class PublicAsynchronous(Public):
    """Asynchronous ASD, with both ends of the range falling over the run."""

    def step(self, z, step, draws):
        low, high = (int(1000 * (start + (end - start) * step / STEPS)) for start, end in ((0.5, 0.02), (0.98, 0.5)))
        t, noise = draws.timestep(low, high), draws.noise(z)
        plus = min(max(0.1 * (t - low), 0), 1000 - t - 1) * draws.uniform()
        later = min(max(t + int(plus), 1), 999)
        second = self.pretrained(noised(z, noise, later), later, self.texts[0])
        return (1 - ALPHAS[t]) * (self.guided(noised(z, noise, t), t) - second)


def largest(settings, prior, weights, public):
    """The largest difference of gradients over a run, and of adapters after it, in shares of what they are.

    Each step's are compared with its largest gradient.
    """
    views = [view(prior, *of, weights) for of in zip(PROMPTS, AZIMUTH, strict=True)]
    embeddings = torch.stack([torch.stack(texts) for texts, _, _ in views], dim=1)
    plain = torch.stack([plain for _, plain, _ in views])
    pose = torch.randn(2, 16, generator=torch.Generator().manual_seed(4))
    of_negatives = None if weights is None else torch.tensor([weights for _, _, weights in views]).T
    guidance = GuidedPrior(prior, embeddings, plain, torch.arange(2), pose, of_negatives)

    draws = [torch.Generator().manual_seed(7 + i) for i in range(2)]
    adapter = guidance.new_adapter(draws)
    theirs = [public(prior, *views[i], pose[i], adapter, i) for i in range(2)]
    replays = [Replay(torch.Generator()) for _ in draws]
    for replay, draw in zip(replays, draws, strict=True):
        replay.generator.set_state(draw.get_state())

    objective = objectives.build(settings)
    if hasattr(objective, "adapter"):
        objective._take(adapter)
    z = torch.randn(2, 4, tiny_models.LATENT, tiny_models.LATENT, generator=torch.Generator().manual_seed(5))
    others, differences = list(z), []
    for step in range(STEPS):
        found = objective(z, guidance, Progress(step, STEPS), draws).gradient * z[0].numel()
        expected = torch.stack([of.step(x, step, draw) for of, x, draw in zip(theirs, others, replays, strict=True)])
        differences.append(float((found - expected).abs().max() / expected.abs().max()))
        z, others = z - RATE * found, [x - RATE * g for x, g in zip(others, expected, strict=True)]
    if hasattr(objective, "adapter"):
        differences += [of.difference(adapter, i) for i, of in enumerate(theirs)]
    return max(differences)


# the prior's prediction, the adapter's other model, the loss
ADAPTERS = {
    "own U-Net": ("epsilon", None, "noise"),
    "own U-Net, loss of velocity": ("epsilon", None, "velocity"),
    "another U-Net of velocity": ("epsilon", "v_prediction", "velocity"),
    "velocity prior": ("v_prediction", None, "velocity"),
}


@pytest.mark.parametrize("perp_neg", [False, True], ids=["plain", "Perp-Neg"])
@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(("kind", "gamma"), [("vsd", 0.0), ("asd-adversarial", -0.75)])
def test_adapters_are_those_of_the_public_codes(folders, kind, gamma, adapter, perp_neg):
    predicts, other, loss = ADAPTERS[adapter]
    stated = VSD | {"adapter_loss": loss} | ({"gamma": gamma} if gamma else {})
    weights = (own_weights if gamma else threestudio_weights) if perp_neg else None

    def public(*given):
        return PublicAdapter(*given, in_velocity=loss == "velocity", gamma=gamma)

    settings = OBJECTIVES[kind].Settings(kind=kind, **stated)
    found = largest(settings, load(folders, predicts, other), weights, public)
    print(f"\n{kind}, {adapter}, {'Perp-Neg' if perp_neg else 'plain'}: {found:.1e}")
    assert found < TOLERANCE


@pytest.mark.parametrize("perp_neg", [False, True], ids=["plain", "Perp-Neg halved"])
@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction"])
def test_asynchronous_asd_is_the_public_codes(folders, predicts, perp_neg):
    def halved(azimuth):
        return [0.5 * weight for weight in threestudio_weights(azimuth)]

    def public(*given):
        return PublicAsynchronous(*given[:5])

    ends = ((0, 0.5, 0.02, STEPS), (0, 0.98, 0.5, STEPS))
    settings = OBJECTIVES["asd-asynchronous"].Settings(
        kind="asd-asynchronous", guidance_scale=7.5, t_range=ends, shift=0.1
    )
    found = largest(settings, load(folders, predicts), halved if perp_neg else None, public)
    print(f"\nasd-asynchronous, {predicts}, {'Perp-Neg' if perp_neg else 'plain'}: {found:.1e}")
    assert found < TOLERANCE
