"""The miniature's captioner, trained to say what pictures show, whose captions the world knows."""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.utils import logging

from jsdpipe.base.seeding import generator
from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import COLORS, KINDS
from jsdpipe.miniature.tracing import NOTHING
from jsdpipe.miniature_training.augmentation import distilled, recolor, worn, zooms
from jsdpipe.miniature_training.evaluation import evaluate_captioner
from jsdpipe.miniature_training.training import train
from jsdpipe.models.miniature_captioner import (
    NO_THING,
    PATTERN,
    RELATION,
    SURROUNDING,
    THINGS,
    Answers,
    CaptionerConfig,
    CaptionerNetwork,
    captions,
    framed,
    frames,
)

BATCH = 64
STEPS = 13000
UNLIT_SHARE = 0.5  # of images: flat colors on black, as the protocols render meshes
RECOLORED_SHARE = 0.25  # of images without a surrounding: colors mixed, and not asked for
STATISTICS = 50  # batches for the final statistics of batch normalization
CURVE_EVERY = 500  # steps
CURVE_OF = 1500  # held-out images
UNNAMED = -1  # the label of what is not asked for


@dataclass(frozen=True)
class Labels:
    """What N images show, as indices of the network's words.

    Args:
        kind: of each thing (N, 2), `NO_THING` for no second.
        color: of each thing (N, 2), or `UNNAMED`.
        pattern: of each thing (N, 2), or `UNNAMED`.
        surrounding: (N,).
        relation: (N,).
        solid: the kind of each solid (N, 2); a surrounding has the index `NO_THING` + its own.
        shown: whether each solid is seen, else it is not asked for (N, 2).
    """

    kind: Tensor
    color: Tensor
    pattern: Tensor
    surrounding: Tensor
    relation: Tensor
    solid: Tensor
    shown: Tensor

    def __getitem__(self, index: Tensor) -> "Labels":
        return Labels(**{name: values[index] for name, values in vars(self).items()})


def labels(pictures: data.Pictures) -> Labels:
    """The labels of pictures."""
    shape = (len(pictures), THINGS)
    kind, color, pattern = torch.full(shape, NO_THING), torch.full(shape, UNNAMED), torch.full(shape, UNNAMED)
    surrounding, relation = (torch.zeros(len(pictures), dtype=torch.long) for _ in range(2))
    for i, d in enumerate(pictures.descriptions):
        surrounding[i], relation[i] = SURROUNDING.index(d.surrounding), RELATION.index(d.relation)
        for j, thing in enumerate(d.things):
            kind[i, j], pattern[i, j] = KINDS.index(thing.kind), PATTERN.index(thing.pattern)
            color[i, j] = COLORS.index(str(thing.color))
    solid = kind.clone()
    solid[:, 1] += surrounding
    return Labels(kind, color, pattern, surrounding, relation, solid, pictures.shown())


class Learner(nn.Module):
    """The network, and a head that names what each of its 8 x 8 cells shows, which only training uses."""

    def __init__(self) -> None:
        super().__init__()
        self.network = CaptionerNetwork(CaptionerConfig())
        channels = self.network.config.channels[-1]
        self.cells = nn.Conv2d(channels, NO_THING + len(SURROUNDING) + len(COLORS), 1)

    def forward(self, images: Tensor) -> tuple[Answers, Tensor]:
        """The answers to images, and the logits (B, 8, 8, kinds + 1 + surroundings + colors) of their cells."""
        features = self.network.features(images)
        return self.network.answers(features), self.cells(features).permute(0, 2, 3, 1)


def train_captioner(pictures: data.Pictures, held_out: data.Pictures, folder: Path, device: str) -> CaptionerNetwork:
    """Train by cross-entropies of all attributes, of which the two things of "and" may have either order.

    No held-out (kind, color) pair counts as wrong, else the network would learn that it never occurs. Figures for
    held-out pictures are logged on the way.
    """
    torch.manual_seed(0)
    learner = Learner().to(device)
    learner.to(memory_format=torch.channels_last)
    labeled = labels(pictures)
    unseen = set(data.held_out_pairs())
    seen = torch.tensor([[(k, c) not in unseen for c in COLORS] for k in KINDS])

    @torch.autocast("cpu", enabled=False)  # bfloat16 would lose colors
    def batch(draw: torch.Generator) -> tuple[Tensor, Labels, Tensor]:
        index = torch.randint(len(pictures), (BATCH,), generator=draw)
        images, told = pictures.compose(index, draw, UNLIT_SHARE).permute(0, 3, 1, 2), labeled[index]
        mixed = (told.surrounding == 0) & (torch.rand(BATCH, generator=draw) < RECOLORED_SHARE)
        images[mixed] = recolor(images[mixed], draw)
        told.color[mixed] = UNNAMED
        zoom = zooms(BATCH, draw)
        images = worn(distilled(framed(images, zoom), draw), draw)
        frame = frames(images)
        solid = _cells(pictures.solid[index], told, _product(zoom, frame))
        return framed(images, frame).to(device), told, solid

    def loss_of(step: int, draw: torch.Generator) -> Tensor:
        if step and step % CURVE_EVERY == 0:
            _log(step, learner.network, held_out)
        images, told, cells = batch(draw)
        answers, of_cells = learner(images)
        answers = Answers(*(logits.float().cpu() for logits in answers))
        return _loss(answers, told, seen) + 0.5 * _cell_loss(of_cells.float().cpu(), cells, seen)

    train("captioner", learner, loss_of, steps=STEPS, lr=1.5e-3, folder=folder, device=device, weight_decay=0.02)
    # the statistics of batch normalization are those of the last steps, not of the averaged weights
    fresh = (batch(generator("miniature", "captioner", "statistics", i))[0] for i in range(STATISTICS))
    torch.optim.swa_utils.update_bn(fresh, learner)
    return learner.network.eval()


def _product(first: Tensor, second: Tensor) -> Tensor:
    """The affine maps (B, 2, 3) that sample what sampling by `first`, then by `second`, gives."""
    shift = first[:, :, :2] @ second[:, :, 2:] + first[:, :, 2:]
    return torch.cat((first[:, :, :2] @ second[:, :, :2], shift), dim=2)


def _cells(solid: Tensor, told: Labels, affine: Tensor) -> Tensor:
    """What the centers of 8 x 8 cells show (B, 8, 8, 2): the kind and the color."""
    grid = F.affine_grid(affine, [len(solid), 1, 8, 8], align_corners=False)
    sampled = F.grid_sample(solid[:, None].float(), grid, "nearest", "border", align_corners=False)
    number = sampled[:, 0].long()
    number[number == NOTHING] = 2
    nothing = torch.tensor([NO_THING, UNNAMED]).expand(len(solid), 1, 2)
    table = torch.cat((torch.stack((told.solid, told.color), dim=2), nothing), dim=1)
    return table[torch.arange(len(solid))[:, None, None], number]


def _cross_entropy(logits: Tensor, label: Tensor, allowed: Tensor | None = None) -> Tensor:
    """Cross-entropies (...) of logits (..., K) among those that are allowed; 0 for what is unnamed."""
    if allowed is not None:
        logits = logits.masked_fill(~allowed, -torch.inf)
    flat = F.cross_entropy(logits.flatten(0, -2), label.flatten(), ignore_index=UNNAMED, reduction="none")
    return flat.view(label.shape)


def _allowed(kind: Tensor, color: Tensor, seen: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The words among which kinds (..., width) and colors (..., 9) are asked for: those not held out with the other."""
    kinds = torch.ones(*kind.shape, width, dtype=torch.bool)
    kinds[..., :NO_THING] = seen.T[color] | (color == UNNAMED)[..., None]
    colors = seen[kind.clamp(max=NO_THING - 1)] | (kind >= NO_THING)[..., None]
    return kinds, colors


def _loss(answers: Answers, told: Labels, seen: Tensor) -> Tensor:
    """The loss of a batch's answers."""
    kinds, colors = _allowed(told.kind, told.color, seen, NO_THING + 1)
    asked = told.shown | (told.kind == NO_THING)

    def match(slot: int, thing: int) -> Tensor:
        loss = _cross_entropy(answers.kind[:, slot], told.kind[:, thing], kinds[:, thing])
        loss = loss + _cross_entropy(answers.color[:, slot], told.color[:, thing], colors[:, thing])
        loss = loss + 0.5 * _cross_entropy(answers.pattern[:, slot], told.pattern[:, thing])
        return asked[:, thing] * loss

    straight, crossed = match(0, 0) + match(1, 1), match(0, 1) + match(1, 0)
    things = torch.where(told.relation == RELATION.index("and"), torch.minimum(straight, crossed), straight)
    surrounding = told.shown[:, 1] * _cross_entropy(answers.surrounding, told.surrounding)
    relation = asked.all(dim=1) * _cross_entropy(answers.relation, told.relation)
    return (things + surrounding + relation).mean()


def _cell_loss(logits: Tensor, cells: Tensor, seen: Tensor) -> Tensor:
    """The loss of a batch's cells."""
    kind, color = cells.unbind(-1)
    width = NO_THING + len(SURROUNDING)
    kinds, colors = _allowed(kind, color, seen, width)
    loss = _cross_entropy(logits[..., :width], kind, kinds)
    return (loss + _cross_entropy(logits[..., width:], color, colors)).mean()


def _log(step: int, network: CaptionerNetwork, held_out: data.Pictures) -> None:
    """Log the figures so far, without averaged weights."""
    network.eval()
    by_form = evaluate_captioner(lambda images: captions(network, images), held_out, flat=False, count=CURVE_OF)
    network.train()
    figures = "; ".join(f"{form} {f.kind:.3f} {f.color:.3f} {f.everything:.3f}" for form, f in by_form.items())
    print(f"step {step}, held out, lit; kind, color, everything: {figures}", file=sys.stderr, flush=True)


def save(network: CaptionerNetwork, folder: Path) -> None:
    """Save a folder that `CaptionerNetwork.from_pretrained` loads, with weights in half precision."""
    logging.disable_progress_bar()
    network.half().save_pretrained(folder)
