"""What calls need at least, beside counts by hand."""

import pytest
import tiny_models
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.nn import functional

from jsdpipe.bench import roofline
from jsdpipe.bench.roofline import Need, Peak, _Traffic, measure_peak, unet_need
from jsdpipe.prior.prior import load_prior


def test_the_larger_of_two_times_counts():
    peak = Peak(operations=100, bytes=10)
    assert peak.least_seconds(Need(operations=200, bytes=10)) == 2
    assert peak.least_seconds(Need(operations=200, bytes=50)) == 5


def test_traffic_is_what_operations_make_without_views():
    linear = nn.Linear(3, 5)
    x = torch.ones(7, 3)
    with torch.no_grad(), _Traffic() as traffic:
        linear(x).view(5, 7).T.relu()
    assert traffic.bytes == 4 * (7 * 5 + 7 * 5)


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return load_prior(str(tiny_models.diffusion(tmp_path_factory.mktemp("prior"))))


def test_operations_of_a_unet_are_those_of_its_convolutions_and_products(prior, monkeypatch):
    """Convolutions and linear layers are counted by hooks, attention by its shapes."""
    counted, embeddings = 0, prior.embed(["x"])

    def count(module, args, output):
        nonlocal counted
        if isinstance(module, nn.Conv2d):
            counted += 2 * output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            counted += 2 * output.numel() * module.in_features

    def multiply(queries, keys, values, **options):
        nonlocal counted
        counted += (
            2 * queries.numel() * keys.shape[-2] + 2 * queries[..., 0].numel() * keys.shape[-2] * values.shape[-1]
        )
        return attention(queries, keys, values, **options)

    attention = functional.scaled_dot_product_attention
    monkeypatch.setattr(functional, "scaled_dot_product_attention", multiply)
    unet: UNet2DConditionModel = prior.unet
    handles = [module.register_forward_hook(count) for module in unet.modules()]
    prior.noise(torch.zeros(1, 4, tiny_models.LATENT, tiny_models.LATENT), torch.tensor([1]), embeddings)
    for handle in handles:
        handle.remove()
    monkeypatch.undo()
    before = prior.samples
    assert unet_need(prior, 1).operations == counted
    assert unet_need(prior, 3).operations == 3 * counted
    assert prior.samples == before
    weights = 4 * sum(p.numel() for p in unet.parameters())
    one, three = (unet_need(prior, n).bytes for n in (1, 3))
    assert weights < one < three < 3 * one


def test_a_peak_counts_two_operations_a_product_and_two_bytes_a_copied_one(monkeypatch):
    monkeypatch.setattr(roofline, "_least_time", lambda work, device: 0.5)
    assert measure_peak("cpu", torch.float32) == Peak(2 * 2048**3 / 0.5, 2 * 2**28 / 0.5)
