"""A recipe's optimizer, beside PyTorch's called directly."""

import pytest
import torch

from jsdpipe.config.recipe import Optimizer
from jsdpipe.config.recipes import load_recipe
from jsdpipe.generation.loop import build_optimizer
from jsdpipe.scene.registry import build

FIELD = load_recipe("miniature/sds", {"field": {"resolution": 8}}).field


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, lambda p, lr: torch.optim.Adam(p, lr, betas=(0.9, 0.99), eps=1e-15)),
        ({"weight_decay": 0.1}, lambda p, lr: torch.optim.Adam(p, lr, (0.9, 0.99), 1e-15, weight_decay=0.1)),
        (
            {"kind": "adamw", "betas": (0.8, 0.95), "eps": 1e-8, "weight_decay": 0.1},
            lambda p, lr: torch.optim.AdamW(p, lr, (0.8, 0.95), 1e-8, weight_decay=0.1),
        ),
        (
            {"kind": "adamax", "betas": (0.8, 0.95), "eps": 1e-8, "weight_decay": 0.1},
            lambda p, lr: torch.optim.Adamax(p, lr, (0.8, 0.95), 1e-8, weight_decay=0.1),
        ),
    ],
)
def test_its_steps_are_pytorch_s(settings, expected):
    batch = build(FIELD, [torch.Generator()])
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in batch.parameters():
            parameter.normal_(generator=draw)
    copies = {name: p.detach().clone().requires_grad_() for name, p in batch.named_parameters()}
    rates = {"density": FIELD.density_lr, "albedo": FIELD.albedo_lr, "background": FIELD.background_lr}
    ours, theirs = build_optimizer(Optimizer(**settings), batch), [expected([copies[n]], rates[n]) for n in copies]
    for _ in range(3):
        for name, parameter in batch.named_parameters():
            parameter.grad = torch.randn(parameter.shape, generator=draw)
            copies[name].grad = parameter.grad.clone()
        for optimizer in (ours, *theirs):
            optimizer.step()
    for name, parameter in batch.named_parameters():
        assert torch.allclose(parameter, copies[name], rtol=1e-5, atol=1e-6), name


def test_a_recipe_s_keys():
    settings = {"kind": "adamax", "betas": [0.5, 0.6], "eps": 1e-6, "weight_decay": 0.2}
    recipe = load_recipe("miniature/sds", {"optimizer": settings})
    assert recipe.optimizer == Optimizer(kind="adamax", betas=(0.5, 0.6), eps=1e-6, weight_decay=0.2)
