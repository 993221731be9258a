"""The commands that make the miniature, at a size at which they take seconds."""

import re

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from jsdpipe.base.files import read_json
from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import parse
from jsdpipe.miniature_training import autoencoder, captioner, card, classifier, clip, diffusion, evaluation, training
from jsdpipe.model_files.pretrained import weights
from jsdpipe.models.clip import Clip
from jsdpipe.models.miniature_captioner import CaptionerNetwork, captions
from jsdpipe.models.rewards.miniature_clip import MiniatureReward
from jsdpipe.prior.prior import load_prior


@pytest.fixture
def small(monkeypatch):
    """Two chunks of 64 pictures, many of them held out; two steps of training; one sample a form."""
    monkeypatch.setattr(data, "CHUNK", 64)
    monkeypatch.setattr(data, "HELD_OUT", 0.3)
    for made in (autoencoder, captioner, classifier, clip, diffusion):
        monkeypatch.setattr(made, "STEPS", 2)
        monkeypatch.setattr(made, "BATCH", 8)
    monkeypatch.setattr(clip, "DEGRADED", 4)
    monkeypatch.setattr(clip, "PAINTED_KINDS", 24)
    for made in (captioner, classifier, clip):
        monkeypatch.setattr(made, "STATISTICS", 1)
    monkeypatch.setattr(captioner, "CURVE_EVERY", 1)
    monkeypatch.setattr(evaluation, "SAMPLING_STEPS", 2)
    for name, value in (("SCALES", (2.0,)), ("SEARCH", 1), ("SAMPLES", 1), ("GRID_PROMPTS", ("a red ball",))):
        monkeypatch.setattr(card, name, value)


def test_pictures_models_and_card_are_made(jsdpipe, small, tmp_path):
    work, out = tmp_path / "work", tmp_path / "weights"
    status, _, err = jsdpipe("miniature", "train", "--work", work, "--out", out)
    assert status == 2 and "`jsdpipe miniature render" in err
    assert jsdpipe("miniature", "render", "--work", work, "--count", 100)[0] == 0
    chunks = sorted((work / "pictures").iterdir())
    assert len(chunks) == 2
    times = [chunk.stat().st_mtime_ns for chunk in chunks]
    assert jsdpipe("miniature", "render", "--work", work, "--count", 100)[0] == 0
    assert [chunk.stat().st_mtime_ns for chunk in chunks] == times
    status, _, err = jsdpipe("miniature", "train", "diffusion", "--work", work, "--out", out)
    assert status == 2 and "autoencoder" in err
    assert jsdpipe("miniature", "train", "--work", work, "--out", out)[0] == 0
    assert jsdpipe("miniature", "evaluate", "--work", work, "--out", out)[0] == 0

    assert isinstance(StableDiffusionPipeline.from_pretrained(out / "diffusion"), StableDiffusionPipeline)
    assert load_prior(str(out / "diffusion")).image_size == 64
    assert MiniatureReward(clip=Clip(out / "clip"))
    network = weights(CaptionerNetwork, out / "captioner", dtype=torch.float32)
    assert parse(captions(network, np.zeros((1, 64, 64, 3), np.uint8))[0])
    figures = read_json(out / "figures.json")
    assert set(figures["found"]) == {
        "CLIP, lit",
        "captioner, lit",
        "captioner, flat on black",
        "captioner, flat on black, all elevations",
        "classifier, lit",
        "classifier, flat on black",
        "classifier, flat on black, all elevations",
        "captioner, 3 samples, guidance 2",
        "search: captioner, 3 samples, guidance 2",
    }
    text = (out / "README.md").read_text()
    assert re.search(r"\b128 .*\b64 x 64", text) and re.search(r"\b24 kinds .*\b9 colors", text)
    assert text.count("reached") + text.count("missed by") == len(card.BARS)
    for name in ("samples.png", "world.png"):
        assert (out / name).is_file()


@pytest.mark.parametrize(
    ("model", "file", "bfloat16"),
    [
        ("clip", "clip/open_clip_model.safetensors", False),
        ("clip", "clip/open_clip_model.safetensors", True),
        ("captioner", "captioner/model.safetensors", False),
        ("captioner", "captioner/model.safetensors", True),
        ("classifier", "classifier/model.safetensors", False),
    ],
)
def test_the_same_pictures_give_the_same_models(jsdpipe, small, tmp_path, monkeypatch, model, file, bfloat16):
    monkeypatch.setattr(training, "has_bfloat16", lambda device: bfloat16)  # every CPU can, some slowly
    jsdpipe("miniature", "render", "--work", tmp_path, "--count", 64)
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pictures").symlink_to(tmp_path / "pictures")
        assert jsdpipe("miniature", "train", model, "--work", tmp_path / name, "--out", tmp_path / name)[0] == 0
        made.append((tmp_path / name / file).read_bytes())
    assert made[0] == made[1]
