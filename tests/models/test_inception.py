"""Inception-v3 against timm's own implementation on the same tensors; its file, found, fetched, or not."""

import urllib.error
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.special import softmax
from scipy.stats import entropy
from torch.nn.functional import interpolate
from torchvision.models import Inception_V3_Weights

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import sha256
from jsdpipe.model_files.formats import INCEPTION_URL, torch_hub_file
from jsdpipe.models.classifiers.inception_v3 import Inception
from jsdpipe.models.roles import CLASSIFIERS


@pytest.fixture(scope="module")
def inception(inception_file) -> Inception:
    return CLASSIFIERS.load(Inception.Settings(kind="inception-v3", weights=str(inception_file)), "cpu")


@pytest.fixture(scope="module")
def images():
    """Three pictures larger than the network's, with edges that antialiasing would smooth."""
    random = np.random.default_rng(0)
    tiles = [(255 * random.random((400 // n, 400 // n, 3))).astype(np.uint8) for n in (4, 20, 100)]
    return np.stack([tile.repeat(n, axis=0).repeat(n, axis=1) for tile, n in zip(tiles, (4, 20, 100), strict=True)])


def test_probabilities_are_those_of_timm_s_network(inception, inception_file, images):
    other = timm.create_model("inception_v3", pretrained=False, aux_logits=True)
    other.load_state_dict(torch.load(inception_file, weights_only=True))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    pixels = interpolate(pixels, size=(299, 299), mode="bilinear", antialias=False)
    pixels = (pixels - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    with torch.no_grad():
        logits = other.eval()(pixels)[0].double().numpy()  # the second is the auxiliary head
    found = inception.probabilities(images)
    assert (found.shape, found.dtype) == ((3, 1000), np.float64)
    np.testing.assert_allclose(found, softmax(logits, axis=1), rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.ptp(entropy(found, axis=1)) > 0.1  # pictures are told apart


def test_pictures_are_not_smoothed(inception, images):
    smooth = np.stack([np.asarray(Image.fromarray(i).resize((299, 299), Image.Resampling.BILINEAR)) for i in images])
    assert np.abs(inception.probabilities(smooth) - inception.probabilities(images)).max() > 1e-3


def test_classes_and_identity(inception, inception_file):
    assert len(inception.classes) == 1000
    assert (inception.classes[0], inception.classes[849]) == ("tench", "teapot")
    assert inception.identity == (
        f"inception-v3 sha256:{sha256(inception_file)} at 299 px bilinear, antialias=False, "
        "ImageNet's mean and deviation"
    )


def test_safetensors_are_read_too(inception, inception_file, images, tmp_path):
    path = tmp_path / "inception.safetensors"
    save_file(torch.load(inception_file, weights_only=True), path)
    other = Inception(Inception.Settings(kind="inception-v3", weights=str(path)))
    np.testing.assert_array_equal(other.probabilities(images[:1]), inception.probabilities(images[:1]))


@pytest.mark.parametrize("content", ["no tensors", "other tensors"])
def test_a_file_of_something_else(tmp_path, content):
    path = tmp_path / "x.pth"
    path.write_text(content)
    if content == "other tensors":
        torch.save({"fc.weight": torch.zeros(1000, 2048)}, path)
    with pytest.raises(UserError, match=r"x\.pth: not torchvision's weights of Inception-v3"):
        Inception(Inception.Settings(kind="inception-v3", weights=str(path)))


def test_a_missing_file_is_told_before_work_begins(tmp_path):
    missing = Inception.Settings(kind="inception-v3", weights=str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match=r"none\.pth' is no file; give .*inception_v3_google-0cc3c7bd\.pth, or leave"):
        missing.files()


def test_the_download_is_torchvision_s_and_lies_where_pytorch_keeps_it(monkeypatch, tmp_path):
    assert Inception_V3_Weights.IMAGENET1K_V1.url == INCEPTION_URL
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in (None, "XDG_CACHE_HOME", "TORCH_HOME"):
        if name:
            monkeypatch.setenv(name, str(tmp_path / name))
        assert torch_hub_file(INCEPTION_URL) == Path(torch.hub.get_dir(), "checkpoints", INCEPTION_URL.split("/")[-1])


def test_without_network_it_says_where_to_put_the_file(monkeypatch, tmp_path, inception_file):
    def refuse(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    unnamed = Inception.Settings(kind="inception-v3")
    assert unnamed.files() == []
    with pytest.raises(UserError, match=r"no network.*copy it to .*/hub/checkpoints/inception_v3_google-0cc3c7bd\.pth"):
        CLASSIFIERS.load(unnamed, "cpu")
    (tmp_path / "hub/checkpoints").mkdir(parents=True, exist_ok=True)
    (tmp_path / "hub/checkpoints/inception_v3_google-0cc3c7bd.pth").hardlink_to(inception_file)
    assert sha256(inception_file) in CLASSIFIERS.load(unnamed, "cpu").identity
