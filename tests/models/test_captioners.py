"""The captioners, on tiny models: whose draws, in which batch, of which files."""

import shutil

import numpy as np
import pytest
import tiny_language
import torch
import transformers
from PIL import Image

from jsdpipe.base.errors import UserError
from jsdpipe.base.seeding import seed_of
from jsdpipe.model_files.formats import CAPTIONER
from jsdpipe.models.captioners import blip, blip2
from jsdpipe.models.roles import CAPTIONERS

KINDS = {
    "blip": (tiny_language.blip, blip.BlipCaptioner.Settings, transformers.BlipForConditionalGeneration),
    "blip2": (tiny_language.blip2, blip2.Blip2Captioner.Settings, transformers.Blip2ForConditionalGeneration),
}
SEED = 7
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 40, 30, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: make(tmp_path_factory.mktemp(kind) / "tiny") for kind, (make, _, _) in KINDS.items()}


@pytest.fixture(scope="module")
def captioners(folders):
    return {kind: CAPTIONERS.load(settings_of(kind, folder), "cpu") for kind, folder in folders.items()}


def settings_of(kind, folder):
    return KINDS[kind][1](kind=kind, model=str(folder))


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_captions_are_those_of_transformers_one_by_one(kind, folders, captioners):
    """What LAVIS asks of T5: sampled beams; its resizing is PIL's."""
    model = KINDS[kind][2].from_pretrained(folders[kind])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders[kind])
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    std = np.array([0.26862954, 0.26130258, 0.27577711])
    text = {"input_ids": torch.tensor([[tokenizer.convert_tokens_to_ids("<image>")] * 4 + [1]])}
    expected = []
    for index, image in enumerate(IMAGES):
        resized = Image.fromarray(image).resize((28, 28), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy((np.asarray(resized) / 255 - mean) / std).float().permute(2, 0, 1)[None]
        torch.manual_seed(seed_of(SEED, index))
        tokens = model.generate(
            pixels, do_sample=True, num_beams=5, top_p=0.9, top_k=50, max_new_tokens=30, min_length=1,
            **(text if kind == "blip2" else {}),
        )  # fmt: skip
        expected.append(" ".join(tokenizer.decode(tokens[0], skip_special_tokens=True).split()))
    assert captioners[kind].caption(IMAGES, SEED) == expected
    assert len(set(expected)) == len(IMAGES)


def test_a_caption_depends_on_image_place_and_seed_alone(kind, captioners, monkeypatch):
    captions = captioners[kind].caption(IMAGES, SEED)
    monkeypatch.setattr(blip, "BATCH", 2)
    state = torch.get_rng_state()
    assert captioners[kind].caption(IMAGES, SEED) == captions
    assert captioners[kind].caption(IMAGES[:3], SEED) == captions[:3]
    assert captioners[kind].caption(IMAGES, SEED + 1) != captions
    assert captioners[kind].caption(255 - IMAGES, SEED) != captions
    assert torch.equal(torch.get_rng_state(), state)


def test_the_identity_is_of_the_files(kind, folders, captioners):
    digest = CAPTIONER.digest(folders[kind])
    assert captioners[kind].identity == f"{folders[kind]} sha256:{digest} float32"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", None, "config.json"),
        ("tokenizer.json", None, "tokenizer.json"),
        ("model-00002-of-00003.safetensors", None, "model-00002-of-00003.safetensors"),
        ("model.safetensors.index.json", "{", "model.safetensors.index.json"),
        ("model-00002-of-00003.safetensors", "", "Blip2ForConditionalGeneration"),
        ("config.json", "[]", "config.json"),
        ("tokenizer.json", "{}", "tokenizer"),
        ("preprocessor_config.json", "{", "processor"),
    ],
)
def test_a_broken_folder_is_refused(folders, tmp_path, name, content, said):
    folder = shutil.copytree(folders["blip2"], tmp_path / "broken")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(UserError, match=f"{folder}.*{said}") as error:
        CAPTIONERS.load(settings_of("blip2", folder), "cpu").caption(IMAGES, SEED)
    assert "\n" not in str(error.value)


def test_weights_of_another_kind_are_refused(folders):
    with pytest.raises(UserError, match=r"\d+ weights are missing"):
        CAPTIONERS.load(settings_of("blip", folders["blip2"]), "cpu").caption(IMAGES, SEED)
