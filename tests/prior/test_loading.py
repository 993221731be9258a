import json
import shutil

import huggingface_hub
import pytest
import tiny
import tiny_models
import torch
from safetensors.torch import load_file, save_file

from jsdpipe.base.errors import UserError
from jsdpipe.config.run_config import resolve
from jsdpipe.model_files.formats import PRIOR
from jsdpipe.planning import needed_models as inventory
from jsdpipe.prior.prior import load_prior


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny_models.diffusion(tmp_path_factory.mktemp("prior") / "tiny")


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "tiny")


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def refused(folder):
    with pytest.raises(UserError) as error:
        load_prior(str(folder))
    return str(error.value)


FILES = [*PRIOR.required, *((f"{stem}.safetensors",) for stem in PRIOR.weights)]


@pytest.mark.parametrize("names", FILES, ids=lambda names: names[0])
def test_a_missing_file_is_named(folder, names):
    for name in names:
        (folder / name).unlink(missing_ok=True)
    message = refused(folder)
    assert names[0] in message
    assert str(folder) in message


def test_a_missing_model_is_named():
    assert "no such model" in refused("no such model")


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_damaged_weights_are_named(folder, part):
    path = folder / part / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    assert str(folder / part) in refused(folder)


@pytest.mark.parametrize(
    ("part", "file", "key"),
    [
        ("unet", "diffusion_pytorch_model.safetensors", "conv_in.weight"),
        ("text_encoder", "model.safetensors", "embeddings.token_embedding.weight"),
    ],
)
def test_a_missing_weight_is_named_and_not_made_up(folder, part, file, key):
    weights = load_file(folder / part / file)
    del weights[key]
    save_file(weights, folder / part / file, {"format": "pt"})
    message = refused(folder)
    assert key in message
    assert str(folder / part) in message


def test_weights_of_older_transformers_are_the_same(whole, folder):
    path = folder / "text_encoder/model.safetensors"
    save_file({f"text_model.{key}": value for key, value in load_file(path).items()}, path, {"format": "pt"})
    texts = ["a red ball"]
    assert torch.equal(load_prior(str(folder)).embed(texts), load_prior(str(whole)).embed(texts))


@pytest.mark.parametrize(
    ("file", "values", "word"),
    [
        ("vae/config.json", {"_class_name": "VQModel"}, "VQModel"),
        ("scheduler/scheduler_config.json", {"prediction_type": "sample"}, "prediction_type"),
        ("scheduler/scheduler_config.json", {"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr"),
        ("unet/config.json", {"sample_size": None}, "sample_size"),
        ("unet/config.json", {"cross_attention_dim": 32}, "cross_attention_dim"),
        # SDXL, unCLIP, an upscaler, Kandinsky, inpainting
        ("unet/config.json", {"addition_embed_type": "text_time"}, "addition_embed_type"),
        ("unet/config.json", {"class_embed_type": "projection"}, "class_embed_type"),
        ("unet/config.json", {"num_class_embeds": 1000}, "num_class_embeds"),
        ("unet/config.json", {"encoder_hid_dim_type": "image_proj"}, "encoder_hid_dim_type"),
        ("unet/config.json", {"in_channels": 9}, "in_channels"),
        ("text_encoder/config.json", {"model_type": "t5"}, "t5"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 2}, "model_max_length"),
    ],
)
def test_a_model_of_another_family_is_refused_wherever_it_is_named(folder, file, values, word, tmp_path):
    change(folder / file, **values)
    assert word in refused(folder)
    with pytest.raises(UserError, match=word):
        resolve(tiny.config(tmp_path) | {"prior": {"model": str(folder)}})
    assert word in inventory.prior(str(folder)).mends[0]


def halves(path):
    return {name: value.half() for name, value in load_file(path).items()}


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("half", [False, True])
def test_weights_in_parts_and_in_half_precision(folder, whole, parts, half):
    """By the names of save_pretrained(variant="fp16", max_shard_size=...)."""
    expected, variant = load_prior(str(whole)), ".fp16" if half else ""
    for stem in PRIOR.weights:
        file = folder / f"{stem}.safetensors"
        held = halves(file) if half else load_file(file)
        file.unlink()
        if parts == 1:
            save_file(held, folder / f"{stem}{variant}.safetensors", {"format": "pt"})
            continue
        of_part = {name: f"{file.stem}{variant}-0000{i % 2 + 1}-of-00002.safetensors" for i, name in enumerate(held)}
        for part in set(of_part.values()):
            of_this = {name: value for name, value in held.items() if of_part[name] == part}
            save_file(of_this, file.with_name(part), {"format": "pt"})
        index = {"metadata": {"total_size": 1}, "weight_map": of_part}
        file.with_name(f"{file.stem}.safetensors.index{variant}.json").write_text(json.dumps(index))
    prior = load_prior(str(folder))
    z, t, text = (
        torch.randn(1, 4, tiny_models.LATENT, tiny_models.LATENT),
        torch.tensor([500]),
        expected.embed(["a ball"]),
    )
    noise = prior.noise(z, t, prior.embed(["a ball"]))
    assert torch.allclose(noise, expected.noise(z, t, text), atol=2e-2 if half else 1e-5)
    assert prior.digest != expected.digest or (parts == 1 and not half)
    if parts == 2:
        next(folder.glob("unet/*-00002-of-00002.safetensors")).unlink()
        assert "00002-of-00002.safetensors" in refused(folder)


def test_single_precision_comes_first(folder, whole):
    file = folder / "unet/diffusion_pytorch_model.safetensors"
    save_file({name: 0 * value for name, value in halves(file).items()}, file.with_suffix(".fp16.safetensors"))
    assert load_prior(str(folder)).digest == load_prior(str(whole)).digest


@pytest.mark.parametrize(
    ("part", "pickled"), [("unet", "diffusion_pytorch_model.bin"), ("text_encoder", "pytorch_model.bin")]
)
def test_pickled_weights_are_refused_with_the_reason(folder, part, pickled):
    (file,) = (folder / part).glob("*.safetensors")
    file.rename(file.with_name(pickled))
    message = refused(folder)
    assert pickled in message
    assert "safetensors" in message


def test_a_tokenizer_of_older_transformers(whole, folder):
    (folder / "tokenizer/tokenizer.json").unlink()
    vocabulary = tiny_models.tokenizer().get_vocab()
    words = {"ba": len(vocabulary), "ll</w>": len(vocabulary) + 1, "ball</w>": len(vocabulary) + 2}
    (folder / "tokenizer/vocab.json").write_text(json.dumps(vocabulary | words))
    (folder / "tokenizer/merges.txt").write_text("#version: 0.2\nb a\nl l</w>\nba ll</w>\n")
    change(folder / "tokenizer/tokenizer_config.json", pad_token="!")
    prior = load_prior(str(folder))
    start, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    tokens = prior.tokenizer("A ball", padding="max_length", max_length=6).input_ids
    assert tokens == [start, vocabulary["a</w>"], words["ball</w>"], end, vocabulary["!"], vocabulary["!"]]
    (folder / "tokenizer/merges.txt").unlink()
    assert "tokenizer/merges.txt" in refused(folder)


def test_a_hub_id_is_found_in_the_cache_by_its_revision(whole, tmp_path, monkeypatch):
    stored = tmp_path / "models--someone--tiny"
    shutil.copytree(whole, stored / "snapshots" / ("0" * 40))
    (stored / "refs").mkdir()
    (stored / "refs/v1").write_text("0" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    prior = load_prior("someone/tiny", revision="v1")
    assert prior.name == "someone/tiny"
    assert prior.digest == load_prior(str(whole)).digest
    with pytest.raises(UserError, match="someone/tiny"):
        load_prior("someone/tiny", revision="v2")


def test_json_that_is_broken_is_named(folder):
    (folder / "vae/config.json").write_text("{")
    assert "vae/config.json" in refused(folder)


def test_latents_that_do_not_fit_are_refused(folder, tmp_path):
    shutil.rmtree(folder / "vae")
    other = tiny_models.diffusion(tmp_path / "other", latent_channels=8)
    shutil.copytree(other / "vae", folder / "vae")
    assert "in_channels" in refused(folder)


def test_the_digest_is_of_the_model_alone(folder):
    before = load_prior(str(folder)).digest
    (folder / "README.md").write_text("a doll")
    assert load_prior(str(folder)).digest == before
    change(folder / "scheduler/scheduler_config.json", beta_end=0.013)
    assert load_prior(str(folder)).digest != before


def test_the_schedule_is_stable_diffusions(whole):
    # scaled-linear betas: the roots rise evenly from 0.00085^0.5 to 0.012^0.5
    roots = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64)
    expected = torch.cumprod(1 - roots**2, dim=0)
    assert torch.allclose(load_prior(str(whole)).alphas[:-1].double(), expected, rtol=1e-4)


def test_weights_in_half_precision(whole):
    prior = load_prior(str(whole), dtype=torch.bfloat16)
    z, t = torch.randn(1, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([500])
    noise = prior.noise(z, t, prior.embed(["a ball"]))
    assert prior.unet.dtype == torch.bfloat16
    assert noise.dtype == torch.float32
    exact = load_prior(str(whole)).noise(z, t, prior.embed(["a ball"]))
    assert (noise - exact).norm() < 0.05 * exact.norm()
