import math

import numpy as np
import pytest
import tiny_models
import torch

from jsdpipe.base.cameras import look_at_origin, orbit
from jsdpipe.config.recipes import load_recipe
from jsdpipe.prior.guidance import PromptEmbeddings
from jsdpipe.prior.prior import load_prior

VIEWS = load_recipe("published/jsdlr").view_prompts.model_copy(update={"perp_neg": False})
OF_ITEM = torch.tensor([0, 0, 1])
T = torch.tensor([20, 500, 990])
SEEN = torch.tensor([True, False, True])
AZIMUTH, ELEVATION, DISTANCE = (
    torch.tensor([0.3, 1.7, 3.0]),
    torch.tensor([0.1, 0.0, 0.4]),
    torch.tensor([1.0, 1.2, 1.5]),
)


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return load_prior(str(tiny_models.diffusion(tmp_path_factory.mktemp("prior"))))


@pytest.fixture
def guidance(prior):
    return PromptEmbeddings(prior, ["a ball", "a cube"], VIEWS).guidance_for(OF_ITEM, AZIMUTH, ELEVATION, DISTANCE)


def generators(*seeds):
    return [torch.Generator().manual_seed(s) for s in seeds]


def latents():
    return torch.randn(3, 4, tiny_models.LATENT, tiny_models.LATENT, generator=torch.Generator().manual_seed(1))


def stirred(adapter):
    """The adapter with weights that do something."""
    with torch.no_grad():
        for name, parameter in adapter.named_parameters():
            draw = torch.Generator().manual_seed(len(name))
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=draw))
    return adapter


def test_an_untrained_adapter_changes_nothing(guidance):
    adapter = guidance.new_adapter(generators(0, 1, 2))
    plain = guidance.prior.embed(["a ball", "a cube"])[OF_ITEM]  # without a direction
    expected = guidance.prior.noise(latents(), T, plain)
    assert torch.allclose(guidance.predict_with_adapter(adapter, latents(), T, SEEN), expected, atol=1e-6)
    assert not torch.allclose(guidance.predict_text(latents(), T), expected, atol=1e-4)


def test_the_u_net_is_itself_again_afterwards(guidance):
    before = guidance.predict_text(latents(), T)
    adapted = guidance.predict_with_adapter(stirred(guidance.new_adapter(generators(0, 1, 2))), latents(), T, SEEN)
    assert not torch.allclose(adapted, before, atol=1e-2)
    assert torch.equal(guidance.predict_text(latents(), T), before)


def test_every_attention_projection_is_adapted(prior, guidance):
    adapter = guidance.new_adapter(generators(0, 1, 2))
    attentions = [name for name, module in prior.unet.named_modules() if hasattr(module, "to_q")]
    expected = {f"{name}.{part}" for name in attentions for part in ("to_q", "to_k", "to_v", "to_out.0")}
    assert {key.replace("/", ".") for key in adapter.down} == expected


def test_an_adapter_is_weights_added_to_the_u_nets(prior, guidance):
    """The same noise by a U-Net whose weights are changed by hand, for an item that is not told its camera."""
    adapter = stirred(guidance.new_adapter(generators(0, 1, 2)))
    found = guidance.predict_with_adapter(adapter, latents(), T, torch.zeros(3, dtype=torch.bool))
    unet = prior.unet
    originals = {key: unet.get_submodule(key.replace("/", ".")).weight.clone() for key in adapter.down}
    hidden = adapter.pose_bias[1] / (1 + torch.exp(-adapter.pose_bias[1]))  # SiLU of no camera
    bias = unet.time_embedding.linear_2.bias
    kept = bias.clone()
    try:
        with torch.no_grad():
            for key in adapter.down:
                unet.get_submodule(key.replace("/", ".")).weight += adapter.up[key][1] @ adapter.down[key][1]
            bias += adapter.embedding[1] @ hidden + adapter.embedding_bias[1]
        expected = prior.noise(latents(), T, guidance.plain)[2]
    finally:
        with torch.no_grad():
            for key, weight in originals.items():
                unet.get_submodule(key.replace("/", ".")).weight.copy_(weight)
            bias.copy_(kept)
    assert torch.allclose(found[2], expected, atol=1e-4)


def test_a_batch_gives_what_its_assets_give_one_by_one(prior, guidance):
    both = guidance.new_adapter(generators(5, 6, 7))
    alone = PromptEmbeddings(prior, ["a cube"], VIEWS).guidance_for(
        torch.zeros(1, dtype=torch.long), *(x[2:] for x in (AZIMUTH, ELEVATION, DISTANCE))
    )
    one = alone.new_adapter(generators(7))
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter[0], both.get_parameter(name)[1])
    (guidance.predict_with_adapter(both, latents(), T, SEEN).square().sum()).backward()
    (alone.predict_with_adapter(one, latents()[2:], T[2:], SEEN[2:]).square().sum()).backward()
    for name, parameter in one.named_parameters():
        expected = parameter.grad[0]
        assert torch.allclose(
            both.get_parameter(name).grad[1], expected, atol=1e-4 * float(expected.abs().max()) + 1e-6
        )


def test_only_the_adapter_is_trained(prior, guidance):
    guidance.predict_with_adapter(guidance.new_adapter(generators(0, 1, 2)), latents(), T, SEEN).sum().backward()
    assert all(p.grad is None and not p.requires_grad for p in prior.unet.parameters())


def test_the_pose_is_the_camera_to_world_matrix(guidance):
    assert torch.equal(guidance.pose.view(3, 4, 4), look_at_origin(orbit(AZIMUTH, ELEVATION, DISTANCE)))
    x, y, z = (math.cos(0.1) * math.cos(0.3), math.cos(0.1) * math.sin(0.3), math.sin(0.1))
    assert np.allclose(guidance.pose[0].view(4, 4)[:3, 3], [x, y, z], atol=1e-6)


def test_the_camera_is_told_only_where_it_should_be(guidance):
    adapter = stirred(guidance.new_adapter(generators(0, 1, 2)))
    told = guidance.predict_with_adapter(adapter, latents(), T, SEEN)
    nobody = guidance.predict_with_adapter(adapter, latents(), T, torch.zeros(3, dtype=torch.bool))
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(told, nobody, strict=True)]
    assert same == [False, True, False]
