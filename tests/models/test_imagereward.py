"""ImageReward's adapter on a tiny model, against the network written in NumPy from BLIP's and ImageReward's papers."""

import logging
import pickle

import numpy as np
import pytest
import tiny_imagereward
import torch
from PIL import Image
from scipy.special import erf, softmax

from jsdpipe.base.errors import UserError
from jsdpipe.models.rewards import imagereward
from jsdpipe.models.rewards.imagereward import ImageReward
from jsdpipe.models.roles import REWARDS

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 80, 64, 3)).astype(np.uint8)
TEXTS = {  # and their tokens
    "A red mushroom": ["[CLS]", "a", "red", "mush", "##room", "[SEP]"],
    "the ball, ON the floor!": ["[CLS]", "the", "ball", ",", "on", "the", "floor", "[UNK]", "[SEP]"],
    "": ["[CLS]", "[SEP]"],
    "red " * 50: ["[CLS]", *["red"] * 33, "[SEP]"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_imagereward.make_imagereward(
        tiny_imagereward.make_vocabulary(tmp_path_factory.mktemp("tiny") / "imagereward")
    )


def settings(weights, vocabulary):
    return ImageReward.Settings(kind="imagereward", model=str(weights), tokenizer={"model": str(vocabulary)})


@pytest.fixture(scope="module")
def model(folder):
    return ImageReward(settings(folder, folder))


class Reference:
    """The forward pass, one image at a time, on the names of the checkpoint."""

    def __init__(self, state: dict[str, torch.Tensor], sizes: dict) -> None:
        self.w = {name: value.double().numpy() for name, value in state.items()}
        self.sizes = sizes

    def linear(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.w[f"{name}.weight"].T + self.w[f"{name}.bias"]

    def norm(self, name: str, x: np.ndarray, eps: float) -> np.ndarray:
        scaled = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
        return scaled * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    @staticmethod
    def gelu(x: np.ndarray) -> np.ndarray:
        return x * (1 + erf(x / np.sqrt(2))) / 2

    @staticmethod
    def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, heads: int) -> np.ndarray:
        parts = [np.split(x, heads, axis=-1) for x in (q, k, v)]
        mixed = [softmax(a @ b.T / np.sqrt(a.shape[-1]), axis=-1) @ c for a, b, c in zip(*parts, strict=True)]
        return np.concatenate(mixed, axis=-1)

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        """Tokens of an image (H, W, 3): an image of `side` patches along each edge."""
        eye, side, p = "blip.visual_encoder", self.sizes["side"], self.sizes["patch"]
        patches = pixels.reshape(side, p, side, p, 3).transpose(0, 2, 4, 1, 3).reshape(side * side, -1)
        kernel = self.w[f"{eye}.patch_embed.proj.weight"].reshape(self.sizes["width"], -1)
        tokens = patches @ kernel.T + self.w[f"{eye}.patch_embed.proj.bias"]
        x = np.concatenate([self.w[f"{eye}.cls_token"][0], tokens]) + self.w[f"{eye}.pos_embed"][0]
        for i in range(self.sizes["layers"]):
            block = f"{eye}.blocks.{i}"
            q, k, v = np.split(self.linear(f"{block}.attn.qkv", self.norm(f"{block}.norm1", x, 1e-6)), 3, axis=-1)
            x = x + self.linear(f"{block}.attn.proj", self.attend(q, k, v, self.sizes["width"] // 64))
            inner = self.gelu(self.linear(f"{block}.mlp.fc1", self.norm(f"{block}.norm2", x, 1e-6)))
            x = x + self.linear(f"{block}.mlp.fc2", inner)
        return self.norm(f"{eye}.norm", x, 1e-6)

    def reward(self, tokens: list[str], pixels: np.ndarray) -> float:
        """Of the text's tokens without the padding, which nothing attends to."""
        reader, heads, seen = "blip.text_encoder", self.sizes["text"]["num_attention_heads"], self.seen(pixels)
        ids = [(*tiny_imagereward.SPECIAL, *tiny_imagereward.WORDS).index(token) for token in tokens]
        x = self.w[f"{reader}.embeddings.word_embeddings.weight"][ids]
        x = x + self.w[f"{reader}.embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(f"{reader}.embeddings.LayerNorm", x, 1e-12)
        for i in range(self.sizes["text"]["num_hidden_layers"]):
            layer = f"{reader}.encoder.layer.{i}"
            for name in (f"{layer}.attention", f"{layer}.crossattention"):
                source = seen if name.endswith("crossattention") else x
                key, value = self.linear(f"{name}.self.key", source), self.linear(f"{name}.self.value", source)
                told = self.attend(self.linear(f"{name}.self.query", x), key, value, heads)
                x = self.norm(f"{name}.output.LayerNorm", self.linear(f"{name}.output.dense", told) + x, 1e-12)
            inner = self.gelu(self.linear(f"{layer}.intermediate.dense", x))
            x = self.norm(f"{layer}.output.LayerNorm", self.linear(f"{layer}.output.dense", inner) + x, 1e-12)
        value = x[0]
        for index in (0, 2, 4, 6, 7):
            value = self.linear(f"mlp.layers.{index}", value)
        return float((value[0] - 0.16717362830052426) / 1.0333394966054072)


def pixels(image: np.ndarray, side: int) -> np.ndarray:
    """An upright image, resized by PIL so that its width is `side`, its middle cut out, normalised as CLIP's are."""
    height = int(side * image.shape[0] / image.shape[1])
    resized = np.asarray(Image.fromarray(image).resize((side, height), Image.Resampling.BICUBIC))
    top = (height - side) // 2
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    return (resized[top : top + side] / 255 - mean) / deviation


@pytest.fixture(scope="module")
def reference(folder):
    return Reference(torch.load(folder / "ImageReward.pt", weights_only=True), tiny_imagereward.SMALL)


@pytest.mark.parametrize("text", TEXTS)
def test_scores_are_those_of_the_network_written_out(model, reference, text):
    expected = [reference.reward(TEXTS[text], pixels(image, 48)) for image in IMAGES]
    scores = model.score(text, IMAGES)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, atol=2e-5)
    assert np.ptp(expected) > 0.05  # images differ by thousands of times the tolerance


def test_transformers_has_no_word_to_say_of_the_configuration(folder, monkeypatch):
    """Such as of tokens that a small vocabulary lacks, and that nothing here uses."""
    monkeypatch.setattr(logging.Logger, "warning_once", lambda _, message: pytest.fail(message))
    ImageReward(settings(folder, folder))


def test_batches_change_nothing(model, monkeypatch):
    whole = model.score("a red ball", IMAGES)
    monkeypatch.setattr(imagereward, "BATCH", 2)
    np.testing.assert_allclose(model.score("a red ball", IMAGES), whole, atol=1e-5)


def test_the_settings_name_weights_and_vocabulary(folder, tmp_path, model):
    vocabulary = tiny_imagereward.make_vocabulary(tmp_path / "words")
    chosen = settings(folder, vocabulary)
    again = REWARDS.load(chosen, "cpu")
    assert again.identity == model.identity
    assert "float32" in again.identity  # on a CPU
    np.testing.assert_array_equal(again.score("a ball", IMAGES[:2]), model.score("a ball", IMAGES[:2]))
    (vocabulary / "vocab.txt").write_text("\n".join((*tiny_imagereward.SPECIAL, *tiny_imagereward.WORDS[::-1])))
    assert REWARDS.load(chosen, "cpu").identity != model.identity


def test_the_true_sizes_are_those_of_vit_l(tmp_path):
    weights = {
        "blip.visual_encoder.pos_embed": torch.empty(1, 197, 1024),
        "blip.visual_encoder.patch_embed.proj.weight": torch.empty(1024, 3, 16, 16),
        "blip.visual_encoder.blocks.0.mlp.fc1.weight": torch.empty(4096, 1024),
        **{f"blip.visual_encoder.blocks.{i}.norm1.weight": torch.empty(1024) for i in range(24)},
    }
    from jsdpipe.models.imagereward_network import _vision

    vision = _vision(weights)
    assert (vision.image_size, vision.num_attention_heads, vision.num_hidden_layers) == (224, 16, 24)
    assert (vision.hidden_size, vision.intermediate_size, vision.patch_size) == (1024, 4096, 16)


class Code:
    """What a pickle would run."""

    def __reduce__(self):
        return print, ("run",)


def _without(name):
    return lambda state: state.pop(name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without("mlp.layers.7.bias"), r"mlp\.layers\.7\.bias"),
        (_without("blip.visual_encoder.blocks.1.norm2.bias"), r"blocks\.1\.norm2\.bias"),
        (_without("blip.visual_encoder.pos_embed"), "pos_embed"),
        (
            lambda s: s.update({"mlp.layers.0.weight": torch.zeros(1024, 7)}),
            r"layers\.0\.weight.*\(1024, 7\).*\(1024, 24\)",
        ),
        (lambda s: s.update({"blip.text_encoder.encoder.layer.2.x": torch.zeros(1)}), r"layer\.2\.x"),
        (lambda s: s.update({"step": 7}), "tensors"),
        (lambda s: s.update({"step": Code()}), "ImageReward.pt"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, capsys, change, said):
    folder = tiny_imagereward.make_imagereward(tiny_imagereward.make_vocabulary(tmp_path))
    state = torch.load(folder / "ImageReward.pt", weights_only=True)
    change(state)
    torch.save(state, folder / "ImageReward.pt")
    with pytest.raises(UserError, match=rf"{tmp_path}.*{said}.*fetch") as error:
        ImageReward(settings(folder, folder))
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps(Code())])
def test_no_checkpoint_is_refused(tmp_path, capsys, content):
    folder = tiny_imagereward.make_imagereward(tiny_imagereward.make_vocabulary(tmp_path))
    (folder / "ImageReward.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"ImageReward\.pt: cannot be read as a checkpoint"):
        ImageReward(settings(folder, folder))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "said"), [("{", "med_config.json: "), ('{"vocab_size": 3}', "hidden_size"), ("[]", "med_config.json: ")]
)
def test_a_configuration_of_something_else_is_refused(tmp_path, text, said):
    folder = tiny_imagereward.make_imagereward(tiny_imagereward.make_vocabulary(tmp_path))
    (folder / "med_config.json").write_text(text)
    with pytest.raises(UserError, match=said):
        ImageReward(settings(folder, folder))


@pytest.mark.parametrize("name", ["ImageReward.pt", "med_config.json", "vocab.txt"])
def test_a_missing_file_is_named_before_work_begins(tmp_path, name):
    folder = tiny_imagereward.make_imagereward(tiny_imagereward.make_vocabulary(tmp_path / "tiny"))
    (folder / name).unlink()
    chosen = settings(folder, folder)
    with pytest.raises(UserError, match=name):
        [part.files() for part in (chosen, chosen.tokenizer)]
