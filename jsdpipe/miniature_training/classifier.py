"""The miniature's classifier of kinds, in transformers' own model and folder format."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import ResNetConfig, ResNetForImageClassification
from transformers.utils import logging

from jsdpipe.base.seeding import generator
from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import COLORS, KINDS
from jsdpipe.miniature_training.augmentation import augment, recolor
from jsdpipe.miniature_training.captioner import UNLIT_SHARE, UNNAMED, Labels, labels
from jsdpipe.miniature_training.training import train
from jsdpipe.models.miniature_classifier import resized

BATCH = 64
STEPS = 6000
RECOLORED_SHARE = 0.4  # of images: colors mixed, so that a kind is told by its shape
STATISTICS = 50  # batches for the final statistics of batch normalization


def config() -> ResNetConfig:
    """A ResNet with half of ResNet-18's width, and one block in its last stage."""
    return ResNetConfig(
        embedding_size=32,
        hidden_sizes=[32, 64, 128, 256],
        depths=[2, 2, 2, 1],
        layer_type="basic",
        id2label=dict(enumerate(KINDS)),
        label2id={kind: i for i, kind in enumerate(KINDS)},
    )


class Learner(nn.Module):
    """The network, and a head that names colors, which only training uses, so that features tell colors too."""

    def __init__(self) -> None:
        super().__init__()
        self.network = ResNetForImageClassification(config())
        self.color = nn.Linear(self.network.config.hidden_sizes[-1], len(COLORS))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of kinds (B, 24) and colors (B, 9) of images (B, 3, 96, 96)."""
        pooled = self.network.resnet(images).pooler_output
        return self.network.classifier(pooled), self.color(pooled.flatten(1))


def train_classifier(pictures: data.Pictures, folder: Path, device: str) -> ResNetForImageClassification:
    """Train by cross-entropy; the things that a picture shows share its probability equally.

    No held-out (kind, color) pair counts as wrong, else the network would learn that it never occurs.
    """
    torch.manual_seed(0)
    learner = Learner().to(device)
    learner.to(memory_format=torch.channels_last)
    labeled = labels(pictures)
    unseen = torch.zeros(len(KINDS), len(COLORS), dtype=torch.bool)
    for kind, color in data.held_out_pairs():
        unseen[KINDS.index(kind), COLORS.index(color)] = True

    @torch.autocast("cpu", enabled=False)  # bfloat16 would lose colors
    def batch(draw: torch.Generator) -> tuple[Tensor, Labels]:
        index = torch.randint(len(pictures), (BATCH,), generator=draw)
        images, told = pictures.compose(index, draw, UNLIT_SHARE).permute(0, 3, 1, 2), labeled[index]
        mixed = torch.rand(BATCH, generator=draw) < RECOLORED_SHARE
        images[mixed] = recolor(images[mixed], draw)
        told.color[mixed] = UNNAMED
        return resized(augment(images, draw)).to(device, memory_format=torch.channels_last), told

    def loss_of(step: int, draw: torch.Generator) -> Tensor:
        images, told = batch(draw)
        kinds, colors = (logits.float().cpu() for logits in learner(images))
        of_kind, of_color = _targets(told.kind, told, len(KINDS)), _targets(told.color, told, len(COLORS))
        painted = of_color @ unseen.T.float() > 0  # kinds that are held out with a color of the picture
        kinds = kinds.masked_fill(painted & (of_kind == 0), -1e9)
        return F.cross_entropy(kinds, of_kind) + 0.5 * F.cross_entropy(colors, of_color)

    train("classifier", learner, loss_of, steps=STEPS, lr=2e-3, folder=folder, device=device, weight_decay=0.05)
    # the statistics of batch normalization are those of the last steps, not of the averaged weights
    fresh = (batch(generator("miniature", "classifier", "statistics", i))[0] for i in range(STATISTICS))
    torch.optim.swa_utils.update_bn(fresh, learner)
    network: ResNetForImageClassification = learner.network.eval()
    return network


def _targets(words: Tensor, told: Labels, count: int) -> Tensor:
    """Probabilities (B, count) of the words (B, 2) of the things that are shown; all 0 where none is named."""
    named = told.shown & (words >= 0) & (words < count)
    one_hot = F.one_hot(torch.where(named, words, 0), count) * named[..., None]
    return one_hot.sum(dim=1) / named.sum(dim=1, keepdim=True).clamp(min=1)


def save(network: ResNetForImageClassification, folder: Path) -> None:
    """Save a folder that `from_pretrained` loads, with weights in half precision."""
    logging.disable_progress_bar()
    network.half().save_pretrained(folder)
