"""The adapters of the miniature's models, on tiny random ones."""

import json

import numpy as np
import open_clip
import pytest
import tiny_captioner
import tiny_classifier
import tiny_clip
import torch
from PIL import Image
from transformers import ResNetForImageClassification

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json, write_json
from jsdpipe.miniature.grammar import KINDS, parse
from jsdpipe.models.captioners.miniature import MiniatureCaptioner
from jsdpipe.models.classifiers.miniature import KindClassifier
from jsdpipe.models.clip import Clip
from jsdpipe.models.features.miniature import KindFeatures
from jsdpipe.models.miniature_captioner import captions
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

    return features


def test_reward_is_the_normalised_cosine(clip, reference):
    text, image = reference(["a red mushroom"], IMAGES)
    score = MiniatureReward(clip=clip).score("a red mushroom", IMAGES)
    assert score.shape == (5,)
    np.testing.assert_allclose(score, (image @ text[0] - 0.1) / 0.2, atol=1e-5)


def test_the_reward_has_imagerewards_floor(folder, tmp_path, reference):
    text, image = reference(["a red mushroom"], IMAGES)
    cosines = np.sort(image @ text[0])
    # such a mean and deviation that the least cosine is 3 deviations below the mean, the greatest 1
    std = float(cosines[-1] - cosines[0]) / 4
    strict = Clip(tiny_clip.make_clip(tmp_path / "clip", mean=float(cosines[-1]) - std, std=std))
    score = MiniatureReward(clip=strict).score("a red mushroom", IMAGES)
    assert score.min() == -2.25
    assert score.max() == pytest.approx(1, abs=1e-3)


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


@pytest.fixture
def captioner(tmp_path, monkeypatch):
    """Settings of the captioner, with a tiny one in place of the package's."""
    monkeypatch.setattr("jsdpipe.models.settings.WEIGHTS", tmp_path)
    tiny_captioner.make_captioner(tmp_path / "captioner")
    return MiniatureCaptioner.Settings(kind="miniature")


def test_captions_are_those_of_the_saved_network(captioner):
    told = MiniatureCaptioner(captioner).caption(IMAGES)
    network = tiny_captioner.network().half().float()  # weights are saved in half precision
    assert told == captions(network, IMAGES)
    assert all(parse(text) for text in told)


def test_another_network_has_another_identity(captioner):
    folder = captioner.folder()
    identity = MiniatureCaptioner(captioner).identity
    assert MiniatureCaptioner(captioner).identity == identity
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    assert MiniatureCaptioner(captioner).identity != identity


def test_a_captioner_of_another_grammar_is_refused(captioner):
    file = captioner.folder() / "config.json"
    config = read_json(file)
    config["words"]["kinds"].reverse()
    write_json(file, config)
    for use in (captioner.files, lambda: MiniatureCaptioner(captioner)):
        with pytest.raises(UserError, match=r"config\.json.*grammar"):
            use()


def test_a_captioner_of_another_size_is_refused(captioner):
    file = captioner.folder() / "config.json"
    write_json(file, read_json(file) | {"hidden_size": 24})
    with pytest.raises(UserError, match="captioner"):
        MiniatureCaptioner(captioner).caption(IMAGES)


def test_a_missing_captioner_is_named(captioner):
    (captioner.folder() / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors"):
        captioner.files()


@pytest.fixture
def classifier(tmp_path, monkeypatch):
    """The folder of a tiny classifier in place of the package's."""
    monkeypatch.setattr("jsdpipe.models.settings.WEIGHTS", tmp_path)
    return tiny_classifier.make_classifier(tmp_path / "classifier")


def test_kinds_and_features_are_those_of_the_saved_network(classifier):
    """By transformers' own processor, classes and outputs."""
    network = ResNetForImageClassification.from_pretrained(classifier, dtype=torch.float32)
    small = [Image.fromarray(image).resize((96, 96), Image.Resampling.BILINEAR) for image in IMAGES]
    normal = np.stack([np.asarray(image) for image in small]).transpose(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        output = network(torch.from_numpy(normal).float(), output_hidden_states=True)
    odds = np.exp(output.logits.double().numpy())
    adapter = KindClassifier(KindClassifier.Settings(kind="miniature"))
    expected = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(adapter.probabilities(IMAGES), expected, atol=1e-3)  # PIL rounds to 8 bits
    assert adapter.classes == KINDS
    pooled = output.hidden_states[-1].mean(dim=(2, 3)).double().numpy()
    features = KindFeatures(KindFeatures.Settings(kind="miniature"))
    np.testing.assert_allclose(features.features(IMAGES), pooled, atol=1e-2)
    assert features.identity == adapter.identity


def test_a_classifier_of_other_kinds_is_refused(classifier):
    file = classifier / "config.json"
    config = read_json(file)
    config["id2label"]["0"] = "zebra"
    write_json(file, config)
    for use in (KindClassifier.Settings(kind="miniature").files, KindFeatures.Settings(kind="miniature").files):
        with pytest.raises(UserError, match=r"config\.json.*id2label"):
            use()
