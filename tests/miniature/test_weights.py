"""The committed weights: complete, small, and able to do what their card says."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from jsdpipe.base.seeding import generator
from jsdpipe.miniature import WEIGHTS
from jsdpipe.miniature.grammar import COLORS, KINDS, Description, Thing, caption, parse
from jsdpipe.miniature.scenes import background, compose, random_description
from jsdpipe.miniature.tracing import shade, trace
from jsdpipe.miniature_training.evaluation import alternatives, found, load_pipeline, sample
from jsdpipe.models.captioners.miniature import MiniatureCaptioner
from jsdpipe.models.classifiers.miniature import KindClassifier
from jsdpipe.models.clip import Clip
from jsdpipe.models.rewards.miniature_clip import MiniatureReward


@pytest.fixture(scope="module")
def clip():
    return Clip(WEIGHTS / "clip")


def test_weights_are_safetensors_of_at_most_32_megabytes():
    files = [p for p in WEIGHTS.rglob("*") if p.is_file()]
    weights = [p for p in files if p.suffix == ".safetensors"]
    assert len(weights) == 6  # U-Net, autoencoder, text encoder, CLIP, captioner, classifier
    assert not [p for p in files if p.suffix in (".bin", ".pt", ".ckpt", ".pkl")]
    assert sum(p.stat().st_size for p in weights) <= 32e6
    assert (WEIGHTS / "captioner/model.safetensors").stat().st_size < 4e6


@pytest.fixture(scope="module")
def captioner():
    return MiniatureCaptioner(MiniatureCaptioner.Settings(kind="miniature"))


def pictures_of(descriptions: list[Description], draw: torch.Generator, flat: bool) -> torch.Tensor:
    """Fresh pictures (N, 64, 64, 3)."""
    images = []
    for description in descriptions:
        scene = compose([description], draw)
        azimuth, elevation = torch.rand(1, generator=draw) * 6.28, torch.rand(1, generator=draw) * 0.8
        layers = trace(scene, azimuth, elevation, torch.tensor([[0.2, 0.3, 0.93]]))
        behind, ambient = background(1, draw), torch.full((1,), 0.7)
        images.append(shade(layers, behind * (not flat), torch.ones(1) if flat else ambient))
    return torch.cat(images)


def test_the_clip_names_fresh_pictures(clip):
    draw = generator("tests", "fresh pictures")
    descriptions = [Description((Thing(KINDS[i % len(KINDS)], COLORS[i % len(COLORS)]),)) for i in range(96)]
    verdict = found(clip, pictures_of(descriptions, draw, flat=False), descriptions)
    assert verdict.kind >= 0.9
    assert verdict.color >= 0.9


@pytest.mark.parametrize("form", ["single", "surr", "multi"])
def test_the_reward_falls_with_damage(clip, form):
    """Blurred by scipy's Gaussian, and with grains of noise on what isn't black."""
    draw, rng = generator("tests", "damaged pictures", form), np.random.default_rng(0)
    descriptions = [random_description(draw, form) for _ in range(48)]
    images = pictures_of(descriptions, draw, flat=True).numpy()
    grains = rng.normal(size=images.shape) * (images.max(axis=3, keepdims=True) > 0)
    worse = {
        "blur": [gaussian_filter(images, (0, sigma, sigma, 0)) for sigma in (1.5, 3, 6)],
        "noise": [(images + strength * grains).clip(0, 1) for strength in (0.1, 0.3, 0.6)],
    }
    reward = MiniatureReward(clip=clip)

    def rewards(of):
        stored = (of * 255).round().astype(np.uint8)
        return np.array(
            [reward.score(caption(d), image[None])[0] for d, image in zip(descriptions, stored, strict=True)]
        )

    whole = rewards(images)
    for kind, doses in worse.items():
        by_dose = [whole, *map(rewards, doses)]
        assert (np.diff([of.mean() for of in by_dose]) < 0).all(), kind
        assert (by_dose[-1] < whole).mean() >= 0.9, kind


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    ("form", "kinds", "colors"), [("single", 0.9, 0.9), ("surr", 0.85, 0.85), ("multi", 0.65, 0.7)]
)
def test_the_captioner_names_fresh_pictures(captioner, form, kinds, colors, flat):
    draw = generator("tests", "fresh pictures", form)
    descriptions = [random_description(draw, form) for _ in range(96)]
    images = (pictures_of(descriptions, draw, flat) * 255).round().byte().numpy()
    told = [parse(text) for text in captioner.caption(images)]

    def share(attribute: str) -> float:
        values = [[sorted(str(getattr(t, attribute)) for t in d.things) for d in of] for of in (descriptions, told)]
        return sum(a == b for a, b in zip(*values, strict=True)) / len(told)

    assert share("kind") >= kinds
    assert share("color") >= colors


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("form", "share"), [("single", 0.9), ("surr", 0.9), ("multi", 0.7)])
def test_the_classifier_tells_the_kinds_of_fresh_pictures(form, share, flat):
    classifier = KindClassifier(KindClassifier.Settings(kind="miniature"))
    draw = generator("tests", "fresh pictures", form)
    descriptions = [random_description(draw, form) for _ in range(96)]
    images = (pictures_of(descriptions, draw, flat) * 255).round().byte().numpy()
    ranked = (-classifier.probabilities(images)).argsort(axis=1)
    kinds = [{KINDS.index(thing.kind) for thing in d.things} for d in descriptions]
    assert np.mean([{*row[: len(of)]} == of for row, of in zip(ranked.tolist(), kinds, strict=True)]) >= share


def test_samples_show_what_was_asked_for(clip):
    pipe = load_pipeline(WEIGHTS / "diffusion")
    draw = generator("tests", "samples")
    descriptions = [random_description(draw, "single") for _ in range(16)]
    verdict = found(clip, sample(pipe, [caption(d) for d in descriptions], 4.0), descriptions)
    assert verdict.kind >= 0.7
    assert verdict.color >= 0.7


def test_alternatives_differ_in_one_attribute():
    pair = Description((Thing("ball", "red"), Thing("cube")), relation="on")
    wrong = alternatives(pair)
    assert {name: len(options) for name, options in wrong.items()} == {
        "kind 0": 23, "color 0": 8, "kind 1": 2, "relation": 1,
    }  # fmt: skip
    assert wrong["relation"] == [Description(pair.things, relation="and")]
    surr = Description((Thing("ball"),), surrounding="green grass")
    assert {name: len(options) for name, options in alternatives(surr).items()} == {"kind 0": 23, "surrounding": 4}
