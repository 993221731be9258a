"""Any CLIP of open_clip as reward and for similarity: the layouts of real folders, the formulae, mistakes."""

import json

import numpy as np
import open_clip
import pytest
import tiny_clip
import torch
from safetensors.torch import load_file, save_file

from jsdpipe.base.errors import UserError
from jsdpipe.models.clip import Clip
from jsdpipe.models.rewards.open_clip import OpenClipReward
from jsdpipe.models.roles import REWARDS, SIMILARITIES
from jsdpipe.models.similarities.open_clip import OpenClipSimilarity

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)
TEXTS = ["a red mushroom", "A Snow-Leopard, resting"]
MODEL = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def make_plain(folder):
    """A folder as OpenAI's and LAION's models have it on the hub: no word of a tokenizer, so CLIP's own is meant."""
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL, "preprocess_cfg": {}}))
    torch.manual_seed(0)
    save_file(open_clip.CLIP(**MODEL).state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_plain(tmp_path_factory.mktemp("tiny") / "clip")


@pytest.fixture(scope="module")
def cosines(folder):
    """Of the tiny model's weights, by open_clip's own classes and tokenizer without our code or its loader."""
    model = open_clip.CLIP(**MODEL)
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    transform = open_clip.image_transform(32, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN)
    from PIL import Image

    with torch.no_grad():
        image = model.eval().encode_image(torch.stack([transform(Image.fromarray(i)) for i in IMAGES])).double()
        text = model.encode_text(open_clip.SimpleTokenizer()(TEXTS)).double()
    return ((image / image.norm(dim=1, keepdim=True)) @ (text / text.norm(dim=1, keepdim=True)).T).numpy()


def test_similarity_is_the_cosine(folder, cosines):
    model = SIMILARITIES.load(OpenClipSimilarity.Settings(kind="open-clip", model=str(folder)), "cpu")
    np.testing.assert_allclose(model.cosines(IMAGES, TEXTS), cosines, atol=1e-6)
    assert cosines.std(axis=0).min() > 1e-3
    assert "float32" in model.identity  # on a CPU, whatever the settings say


def test_the_reward_is_the_cosine_normalised_down_to_the_floor(folder, cosines):
    low, high = cosines[:, 0].min(), cosines[:, 0].max()
    std = (high - low) / 4
    chosen = OpenClipReward.Settings(kind="open-clip", model=str(folder), mean=float(high - std), std=float(std))
    expected = np.maximum((cosines[:, 0] - (high - std)) / std, -2.25)
    score = REWARDS.load(chosen, "cpu").score(TEXTS[0], IMAGES)
    np.testing.assert_allclose(score, expected, atol=1e-3)
    assert score.min() == -2.25 and score.max() == pytest.approx(1, abs=1e-3)
    other = chosen.model_copy(update={"mean": 0.0})
    assert REWARDS.load(other, "cpu").identity != REWARDS.load(chosen, "cpu").identity


def test_a_model_s_own_tokenizer_must_be_there(tmp_path):
    folder = tiny_clip.make_clip(tmp_path / "clip")
    first = Clip(folder).texts(TEXTS)
    assert not torch.allclose(first[0], first[1])
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"clip: tokenizer\.json is missing"):
        SIMILARITIES.load(OpenClipSimilarity.Settings(kind="open-clip", model=str(folder)), "cpu")


@pytest.mark.parametrize("name", ["open_clip_config.json", "open_clip_model.safetensors"])
def test_a_missing_file_is_named_before_work_begins(tmp_path, name):
    folder = make_plain(tmp_path / "clip")
    (folder / name).unlink()
    with pytest.raises(UserError, match=name):
        OpenClipSimilarity.Settings(kind="open-clip", model=str(folder)).files()


def test_files_of_something_else_are_refused(tmp_path):
    folder = make_plain(tmp_path / "clip")
    for content in ({"model_cfg": {**MODEL, "embed_dim": 8}}, {}):
        (folder / "open_clip_config.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match="clip: "):
            Clip(folder)
