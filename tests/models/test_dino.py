"""DINO's class token against a forward pass in NumPy, written from the architecture, on the file's own tensors."""

import json

import numpy as np
import pytest
import tiny_vision
import torch
from safetensors.numpy import load_file
from scipy.special import erf, softmax

from jsdpipe.base.errors import UserError
from jsdpipe.model_files.formats import NETWORK
from jsdpipe.models.features.dino import Dino, stretched
from jsdpipe.models.roles import FEATURES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_vision.vit(tmp_path_factory.mktemp("tiny") / "dino")


@pytest.fixture(scope="module")
def dino(folder) -> Dino:
    return FEATURES.load(Dino.Settings(kind="dino", model=str(folder)), "cpu")


@pytest.fixture(scope="module")
def images():
    """20 pictures, more than a batch, of blobs and noise, at another size than the network's."""
    random = np.random.default_rng(0)
    small = random.random((20, 4, 4, 3)).repeat(16, axis=1).repeat(16, axis=2)
    return (255 * (0.8 * small + 0.2 * random.random(small.shape))).astype(np.uint8)


def bilinear(image, size):
    """An image (H, W, C) at `size` x `size`, pixel centers at halves, edges repeated, no averaging."""

    def axis(length):
        place = ((np.arange(size) + 0.5) * length / size - 0.5).clip(0, length - 1)
        below = place.astype(int)
        return below, np.minimum(below + 1, length - 1), place - below

    (top, bottom, down), (left, right, across) = axis(image.shape[0]), axis(image.shape[1])
    down, across = down[:, None, None], across[None, :, None]
    upper = image[top][:, left] * (1 - across) + image[top][:, right] * across
    lower = image[bottom][:, left] * (1 - across) + image[bottom][:, right] * across
    return upper * (1 - down) + lower * down


def cubic(count, length, scale):
    """The matrix (count, length) of Keys' cubic convolution (a = -0.75), edges repeated."""
    matrix = np.zeros((count, length))
    for row in range(count):
        place = (row + 0.5) / scale - 0.5
        for tap in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            x, a = abs(place - tap), -0.75
            weight = (a + 2) * x**3 - (a + 3) * x**2 + 1 if x <= 1 else a * (x**3 - 5 * x**2 + 8 * x - 4)
            matrix[row, min(max(tap, 0), length - 1)] += weight
    return matrix


def positions(trained):
    """Those of 28 x 28 patches on 37 x 37, by DINO's scale of 37.1 / 28."""
    stretch = cubic(37, 28, 37.1 / 28)
    grid = np.einsum("ia,jb,abd->ijd", stretch, stretch, trained[1:].reshape(28, 28, -1))
    return np.concatenate([trained[:1], grid.reshape(37 * 37, -1)])


def class_token(image, w, heads=2):
    x = (bilinear(image / 255, 299) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    patches = x[:296, :296].reshape(37, 8, 37, 8, 3).transpose(0, 2, 4, 1, 3).reshape(37 * 37, -1)
    kernel = w["embeddings.patch_embeddings.projection.weight"]
    patches = patches @ kernel.reshape(len(kernel), -1).T + w["embeddings.patch_embeddings.projection.bias"]
    x = np.concatenate([w["embeddings.cls_token"][0], patches]) + positions(w["embeddings.position_embeddings"][0])

    def linear(name, x):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name, x):
        x = x - x.mean(axis=1, keepdims=True)
        return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]

    for layer in range(2):
        at = f"encoder.layer.{layer}"
        y = norm(f"{at}.layernorm_before", x)
        q, k, v = (
            linear(f"{at}.attention.attention.{part}", y).reshape(len(y), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        mixed = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]), axis=-1) @ v
        x = x + linear(f"{at}.attention.output.dense", mixed.transpose(1, 0, 2).reshape(len(y), -1))
        y = linear(f"{at}.intermediate.dense", norm(f"{at}.layernorm_after", x))
        x = x + linear(f"{at}.output.dense", y * (1 + erf(y / np.sqrt(2))) / 2)
    token = norm("layernorm", x)[0]
    return token / np.linalg.norm(token)


def test_features_are_the_class_token_of_the_architecture(dino, folder, images):
    tensors = {name: tensor.astype(np.float64) for name, tensor in load_file(folder / "model.safetensors").items()}
    found = dino.features(images)
    assert (found.shape, found.dtype) == ((20, 32), np.float64)
    for index in (0, 15, 19):  # of both batches
        np.testing.assert_allclose(found[index], class_token(images[index], tensors), atol=2e-6)
    assert (found @ found.T).min() < 0.98  # pictures are told apart


def test_positions_are_stretched_as_dino_s_code_does():
    trained = np.random.default_rng(0).normal(size=(1 + 28 * 28, 5))
    found = stretched(torch.from_numpy(trained)[None], 37)[0].numpy()
    np.testing.assert_allclose(found, positions(trained), atol=1e-9)


def test_the_order_of_images_is_no_matter(dino, images):
    np.testing.assert_allclose(dino.features(images[::-1].copy())[::-1], dino.features(images), atol=1e-6)


def test_the_identity_says_what_moves_the_numbers(dino, folder):
    assert dino.identity == (
        f"dino sha256:{NETWORK.digest(folder)} in float32, 37 x 37 patches of 299 px bilinear, antialias=False, "
        "ImageNet's mean and deviation"
    )


def test_a_folder_of_something_else(folder, tmp_path):
    other = tiny_vision.vit(tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(UserError, match="weights are missing"):
        FEATURES.load(Dino.Settings(kind="dino", model=str(other)), "cpu")
    (other / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors is missing"):
        Dino.Settings(kind="dino", model=str(other)).files()
