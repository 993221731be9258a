"""The U-Net of another model, for an adapter."""

import json
import shutil

import pytest
import tiny_models
import torch

from jsdpipe.base.errors import UserError
from jsdpipe.config.recipes import load_recipe
from jsdpipe.model_files.formats import UNET
from jsdpipe.prior.denoiser import load_adapter_unet
from jsdpipe.prior.guidance import PromptEmbeddings
from jsdpipe.prior.prior import load_prior

VIEWS = load_recipe("published/jsdlr").view_prompts


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny_models.diffusion(tmp_path_factory.mktemp("prior"))


@pytest.fixture
def prior(source):
    return load_prior(str(source))


@pytest.fixture
def folder(tmp_path):
    """A model that predicts velocity, of other weights, of which nothing but the U-Net and the schedule is there."""
    whole = tiny_models.diffusion(tmp_path / "whole", prediction_type="v_prediction")
    for part in ("unet", "scheduler"):
        shutil.copytree(whole / part, tmp_path / "adapter" / part)
    return tmp_path / "adapter"


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_adapter_sits_on_it_and_the_guidance_does_not(prior, source, folder):
    change(folder / "unet/config.json", sample_size=12)  # as Stable Diffusion 2.1, for larger images
    prior.adapted = load_adapter_unet(str(folder), None, prior, source)
    with torch.no_grad():
        for parameter in prior.adapted.unet.parameters():
            parameter *= 1.1
    guidance = PromptEmbeddings(prior, ["a ball"], VIEWS).guidance_for(
        torch.tensor([0]), torch.tensor([0.3]), torch.zeros(1), torch.ones(1)
    )
    z, t = torch.randn(1, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([700])
    before = guidance.predict_text(z, t)
    adapter = guidance.new_adapter([torch.Generator().manual_seed(0)])
    found = guidance.predict_with_adapter(adapter, z, t, torch.tensor([True]))
    a = (1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2).cumprod(0)[700]
    velocity = prior.adapted.unet(z, t, prior.embed(["a ball"])).sample
    assert torch.allclose(found, a.sqrt() * velocity + (1 - a).sqrt() * z, atol=1e-5)
    assert torch.equal(guidance.predict_text(z, t), before)
    assert all(not parameter.requires_grad for parameter in prior.adapted.unet.parameters())
    assert prior.identities == {
        "prior": f"{source} sha256:{prior.digest}",
        "adapter": f"{folder} sha256:{UNET.digest(folder)}",
    }


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("unet/config.json", {"in_channels": 8}),
        ("unet/config.json", {"cross_attention_dim": 32}),
        ("unet/config.json", {"num_class_embeds": 1000}),
        ("scheduler/scheduler_config.json", {"beta_end": 0.02}),
        ("scheduler/scheduler_config.json", {"beta_schedule": "linear"}),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 500}),
        ("scheduler/scheduler_config.json", {"prediction_type": "sample"}),
    ],
)
def test_one_that_does_not_fit_is_refused(prior, source, folder, file, values):
    change(folder / file, **values)
    with pytest.raises(UserError) as error:
        load_adapter_unet(str(folder), None, prior, source)
    assert str(error.value).startswith(f"{folder / file}: {next(iter(values))}: ")


@pytest.mark.parametrize(
    "name", ["unet/config.json", "unet/diffusion_pytorch_model.safetensors", "scheduler/scheduler_config.json"]
)
def test_a_missing_file_is_named(prior, source, folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError) as error:
        load_adapter_unet(str(folder), None, prior, source)
    assert str(folder) in str(error.value) and name in str(error.value)
