"""The miniature CLIP's adapters on a tiny random CLIP, and the captioner's search on a CLIP that knows the answer."""

import json
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import tiny_clip
import torch
from torch import Tensor

from jsdpipe.base.errors import UserError
from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import COLORS, KINDS, PATTERNS, SUPPORTS, SURROUNDINGS, Description, Thing, parse
from jsdpipe.miniature.scenes import random_description
from jsdpipe.models.captioners.miniature import MiniatureCaptioner
from jsdpipe.models.classifiers.miniature_clip import KindClassifier
from jsdpipe.models.clip import Clip
from jsdpipe.models.features.miniature_clip import MiniatureFeatures
from jsdpipe.models.grammar_search import FORMS, log_prior
from jsdpipe.models.rewards.miniature_clip import MiniatureReward

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_clip.make_clip(tmp_path_factory.mktemp("tiny") / "clip", mean=0.1, std=0.2)


@pytest.fixture(scope="module")
def clip(folder):
    return Clip(folder)


@pytest.fixture(scope="module")
def reference(folder):
    """Features of the tiny model's weights, by open_clip's own classes without our code or its loader."""
    from safetensors.torch import load_file
    from transformers import CLIPTokenizer

    model = open_clip.CLIP(**json.loads((folder / "open_clip_config.json").read_text())["model_cfg"])
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    model.eval()
    tokenizer = CLIPTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def features(texts, images):
        ids = tokenizer(texts, padding="max_length", max_length=24, return_tensors="pt").input_ids
        x = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
        image, text = model.encode_image((x - 0.5) / 0.5), model.encode_text(ids)
        return [f.double().numpy() / np.linalg.norm(f.double(), axis=-1, keepdims=True) for f in (text, image)]

    return features, float(model.logit_scale.detach().double().exp())


def test_reward_is_the_normalised_cosine(clip, reference):
    text, image = reference[0](["a red mushroom"], IMAGES)
    score = MiniatureReward(clip=clip).score("a red mushroom", IMAGES)
    assert score.shape == (5,)
    np.testing.assert_allclose(score, (image @ text[0] - 0.1) / 0.2, atol=1e-5)


def test_the_reward_has_imagerewards_floor(folder, tmp_path, reference):
    text, image = reference[0](["a red mushroom"], IMAGES)
    cosines = np.sort(image @ text[0])
    # such a mean and deviation that the least cosine is 3 deviations below the mean, the greatest 1
    std = float(cosines[-1] - cosines[0]) / 4
    strict = Clip(tiny_clip.make_clip(tmp_path / "clip", mean=float(cosines[-1]) - std, std=std))
    score = MiniatureReward(clip=strict).score("a red mushroom", IMAGES)
    assert score.min() == -2.25
    assert score.max() == pytest.approx(1, abs=1e-3)


def test_classifier_is_the_softmax_of_logits_over_kinds(clip, reference):
    classifier = KindClassifier(clip=clip)
    articles = ["an" if kind[0] in "aeiou" else "a" for kind in KINDS]
    text, image = reference[0]([f"{a} {kind}" for a, kind in zip(articles, KINDS, strict=True)], IMAGES)
    odds = np.exp(reference[1] * image @ text.T)
    np.testing.assert_allclose(classifier.probabilities(IMAGES), odds / odds.sum(axis=1, keepdims=True), atol=1e-5)
    assert classifier.classes == KINDS


def test_features_are_the_images(clip, reference):
    _, image = reference[0](["a"], IMAGES)
    np.testing.assert_allclose(MiniatureFeatures(clip=clip).features(IMAGES), image, atol=1e-5)


def test_other_sizes_are_resized_and_batches_change_nothing(clip, monkeypatch):
    large = IMAGES.repeat(2, axis=1).repeat(2, axis=2)
    assert clip.images(large).shape == (5, 32)
    whole = clip.images(IMAGES)
    monkeypatch.setattr("jsdpipe.models.clip.BATCH", 2)
    torch.testing.assert_close(clip.images(IMAGES), whole, atol=1e-5, rtol=0)


def test_any_prompt_can_be_scored(clip):
    for text in ("", "'; $(rm -rf /) \U0001f344\n", "mushroom " * 500):
        assert np.isfinite(MiniatureReward(clip=clip).score(text, IMAGES[:1])).all()


def test_same_weights_same_identity(clip, folder, tmp_path):
    again = MiniatureReward(clip=Clip(tiny_clip.make_clip(tmp_path / "clip", mean=0.1, std=0.2)))
    assert again.identity == MiniatureReward(clip=clip).identity
    (tmp_path / "clip/normalisation.json").write_text('{"mean": 0, "std": 1}')
    assert MiniatureReward(clip=Clip(tmp_path / "clip")).identity != again.identity


@pytest.mark.parametrize("name", ["open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"])
def test_missing_file_is_named(name, tmp_path):
    folder = tiny_clip.make_clip(tmp_path / "clip")
    (folder / name).unlink()
    with pytest.raises(UserError, match=name):
        Clip(folder)


def test_broken_files_are_named(tmp_path):
    folder = tiny_clip.make_clip(tmp_path / "clip")
    (folder / "normalisation.json").write_text('{"mean": 0}')
    with pytest.raises(UserError, match="normalisation"):
        MiniatureReward(clip=Clip(folder))
    (folder / "open_clip_model.safetensors").write_bytes(b"cut")
    with pytest.raises(UserError, match="clip: "):
        Clip(folder)


class KnowingClip:
    """Stands for a CLIP that knows all: an image is a sentence, and sentences are as near as they say the same."""

    logit_scale = 80.0

    def __init__(self) -> None:
        self._index: dict[tuple, int] = {}

    def _vector(self, description: Description) -> Tensor:
        said: list[tuple] = [("relation", description.relation), ("surrounding", description.surrounding)]
        for index, thing in enumerate(description.things):
            below = description.relation == "on" and index == 1
            said += [(thing.kind,), (thing.kind, below), (thing.kind, thing.color), (thing.kind, thing.pattern)]
        vector = torch.zeros(2000)
        for fact in said:
            vector[self._index.setdefault(fact, len(self._index))] = 1
        return vector / vector.norm()

    def texts(self, texts: list[str]) -> Tensor:
        return torch.stack([self._vector(parse(text)) for text in texts])

    def images(self, images: list[str]) -> Tensor:
        return self.texts(images)


def test_captioner_finds_what_the_clip_sees():
    draw = torch.Generator().manual_seed(0)
    captioner = MiniatureCaptioner(clip=KnowingClip())
    for form in ("single", "surr", "multi") * 5:
        truth = random_description(draw, form)
        found = parse(captioner.caption([data.caption(truth)])[0])
        assert (found.relation, found.surrounding) == (truth.relation, truth.surrounding)
        if truth.relation == "and":  # which has no order
            assert set(found.things) == set(truth.things)
        else:
            assert found.things == truth.things


def test_captioner_leaves_open_what_the_image_leaves_open():
    assert MiniatureCaptioner(clip=KnowingClip()).caption(["a mushroom"]) == ["a mushroom"]


def test_captions_of_a_random_clip_are_sentences_that_no_single_thing_beats(clip):
    captioner = MiniatureCaptioner(clip=clip)
    captions = captioner.caption(IMAGES[:2])
    singles = [Description((Thing(k, c),)) for k in KINDS for c in (None, *COLORS)]
    for image, found in zip(clip.images(IMAGES[:2]), captions, strict=True):
        scores = clip.logit_scale * clip.texts([data.caption(d) for d in singles]) @ image
        scores += torch.tensor([log_prior(d) for d in singles])
        best = clip.logit_scale * clip.texts([found])[0] @ image + log_prior(parse(found))
        assert best >= scores.max() - 1e-4


def test_prior_sums_to_the_shares_of_the_forms():
    things = [Thing(k, c, p) for k in KINDS for c in (None, *COLORS) for p in (None, *PATTERNS)]
    single = sum(np.exp(log_prior(Description((t,)))) for t in things)
    surr = sum(np.exp(log_prior(Description((t,), surrounding=s))) for t in things for s in SURROUNDINGS)
    supports = [t for t in things if t.kind in SUPPORTS]
    on = sum(np.exp(log_prior(Description((t, s), "on"))) for t in things[::7] for s in supports)
    on_share = sum(np.exp(log_prior(Description((t,)))) for t in things[::7]) / single  # of the things taken
    assert single == pytest.approx(FORMS["single"])
    assert surr == pytest.approx(FORMS["surr"])
    assert on == pytest.approx(0.4 * FORMS["multi"] * on_share, rel=0.1)
    assert sum(FORMS.values()) == pytest.approx(1)


@pytest.mark.parametrize("form", ["single", "surr", "multi"])
def test_prior_is_that_of_the_training_s_captions(form):
    """How often captions tell a color and a pattern is what the prior makes of it, for the thing named first."""
    draw = torch.Generator().manual_seed(0)
    told = [parse(data.random_caption(random_description(draw, form), draw)) for _ in range(1500)]
    first = [replace(d, things=(Thing("ball"), *d.things[1:])) for d in told]
    plain = np.array([log_prior(d) for d in first])
    colored = np.array([log_prior(replace(d, things=(Thing("ball", "red"), *d.things[1:]))) for d in first])
    marked = np.array([log_prior(replace(d, things=(Thing("ball", None, "spotted"), *d.things[1:]))) for d in first])
    for extra, choices, share in (
        (colored, len(COLORS), np.mean([d.things[0].color is not None for d in told])),
        (marked, len(PATTERNS), np.mean([d.things[0].pattern is not None for d in told])),
    ):
        odds = np.exp(extra - plain) * choices
        np.testing.assert_allclose(odds / (1 + odds), share, atol=0.05)
