"""The committed weights: complete, small, and able to do what their card says."""

import pytest
import torch

from jsdpipe.base.seeding import generator
from jsdpipe.miniature import WEIGHTS
from jsdpipe.miniature.grammar import COLORS, KINDS, Description, Thing, caption
from jsdpipe.miniature.scenes import background, compose, random_description
from jsdpipe.miniature.tracing import shade, trace
from jsdpipe.miniature_training.evaluation import alternatives, found, load_pipeline, sample
from jsdpipe.models.clip import Clip


@pytest.fixture(scope="module")
def clip():
    return Clip(WEIGHTS / "clip")


def test_weights_are_safetensors_of_at_most_32_megabytes():
    files = [p for p in WEIGHTS.rglob("*") if p.is_file()]
    weights = [p for p in files if p.suffix == ".safetensors"]
    assert len(weights) == 5  # U-Net, autoencoder, text encoder, CLIP, captioner
    assert not [p for p in files if p.suffix in (".bin", ".pt", ".ckpt", ".pkl")]
    assert sum(p.stat().st_size for p in weights) <= 32e6


def test_the_clip_names_fresh_pictures(clip):
    draw = generator("tests", "fresh pictures")
    images, descriptions = [], []
    for i in range(96):
        description = Description((Thing(KINDS[i % len(KINDS)], COLORS[i % len(COLORS)]),))
        scene = compose([description], draw)
        azimuth, elevation = torch.rand(1, generator=draw) * 6.28, torch.rand(1, generator=draw) * 0.8
        sun = torch.tensor([[0.2, 0.3, 0.93]])
        images.append(shade(trace(scene, azimuth, elevation, sun), background(1, draw), torch.full((1,), 0.7)))
        descriptions.append(description)
    verdict = found(clip, torch.cat(images), descriptions)
    assert verdict.kind >= 0.9
    assert verdict.color >= 0.9


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
