"""Tiny vision networks: true architectures and file layouts, random weights."""

from pathlib import Path

import torch
from torch import nn
from torchvision.models import Inception3, inception_v3
from transformers import ViTConfig, ViTModel


def inception() -> Inception3:
    """torchvision's Inception-v3, which has one size; its batch norms have the moments of four pictures of noise."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = inception_v3(weights=None, init_weights=False)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the moments are those of all pictures so far
        nn.init.normal_(model.fc.weight, std=0.03)
        with torch.no_grad():
            model.train()(torch.randn(4, 3, 38, 38).repeat_interleave(8, -1).repeat_interleave(8, -2)[..., :299, :299])
    return model.eval()


def vit(folder: Path, image_size: int = 224) -> Path:
    """A vision transformer with DINO ViT-B/8's patches and positions, two narrow layers, as transformers saves it."""
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, image_size=image_size,
        patch_size=8, layer_norm_eps=1e-12,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ViTModel(config, add_pooling_layer=False)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return folder
