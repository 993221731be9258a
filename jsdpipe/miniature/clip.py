"""The miniature's CLIP, in open_clip's own model and folder format."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTokenizer

from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import COLOURS, KINDS, Description, Thing
from jsdpipe.miniature.tokenizer import CONTEXT_LENGTH
from jsdpipe.miniature.tracing import SIZE
from jsdpipe.miniature.training import device, train
from jsdpipe.seeding import generator

BATCH = 128
STEPS = 3500
UNLIT_SHARE = 0.4  # pictures drawn as the protocols draw meshes: flat colours on black
RECOLOURED_SHARE = 0.4  # pictures with permuted channels and no colour in their captions: shape must do
STATISTICS = 50  # batches of the final statistics of batch normalisation
NORMAL = (0.5, 0.5)  # mean and deviation of the pre-processing


def config(tokenizer: CLIPTokenizer) -> dict[str, Any]:
    """open_clip's configuration of the model; any `hf_tokenizer_name` makes it read the tokenizer in its own folder."""
    model = {
        "embed_dim": 128,
        "vision_cfg": {"image_size": SIZE, "timm_model_name": "dla46_c"},
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": len(tokenizer),
            "hf_tokenizer_name": "local",
            "width": 128,
            "heads": 4,
            "layers": 2,
            "pool_type": "eos",
            "eos_id": tokenizer.eos_token_id,
            "pad_id": tokenizer.pad_token_id,
        },
    }
    mean, deviation = NORMAL
    return {
        "model_cfg": model,
        "preprocess_cfg": {"mean": [mean] * 3, "std": [deviation] * 3, "interpolation": "bicubic"},
    }


def augment(images: Tensor, draw: torch.Generator) -> Tensor:
    """Images (b, 3, 64, 64) from nearer or farther, shifted, blurred, noisy: as meshes of distilled assets look."""
    n = len(images)
    half_height = torch.exp(torch.empty(n).uniform_(-0.35, 0.45, generator=draw))
    shift = torch.empty(n, 2).uniform_(-0.12, 0.12, generator=draw)
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = half_height
    affine[:, :, 2] = shift
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    soft = torch.rand(n, 1, 1, 1, generator=draw).square()
    images = torch.lerp(images, blurred, soft)
    grain = torch.randn(n, 3, SIZE // 2, SIZE // 2, generator=draw)
    grain = F.interpolate(grain, scale_factor=2.0, mode="bilinear", align_corners=False)
    strength = 0.06 * torch.rand(n, 1, 1, 1, generator=draw).square()
    gain = 1 + 0.15 * (torch.rand(n, 1, 1, 1, generator=draw) * 2 - 1)
    return (images * gain + strength * grain).clamp(0, 1)


def _altered(description: Description, draw: torch.Generator) -> Description:
    """The description with one attribute of one thing made wrong: a hard negative."""
    which = int(torch.randint(len(description.things), (), generator=draw))
    thing = description.things[which]
    attribute, values = (
        ("colour", COLOURS) if thing.colour and float(torch.rand((), generator=draw)) < 0.5 else ("kind", KINDS)
    )
    wrong = [value for value in values if value != getattr(thing, attribute)]
    thing = replace(thing, **{attribute: wrong[int(torch.randint(len(wrong), (), generator=draw))]})
    return replace(description, things=tuple(thing if i == which else t for i, t in enumerate(description.things)))


def train_clip(
    pictures: data.Pictures, tokenizer: CLIPTokenizer, folder: Path, steps: int = STEPS
) -> open_clip.model.CLIP:
    """Train by contrast over captions, hard negatives, and the kinds and colours of single things.

    Captions that are equal count as positives of each other.
    """
    target = device()
    torch.manual_seed(0)
    clip = open_clip.CLIP(**config(tokenizer)["model_cfg"]).to(target)
    clip.visual.to(memory_format=torch.channels_last)
    named = [str(Thing(k)) for k in KINDS] + [str(Thing(k, c)) for k in KINDS for c in COLOURS]

    def tokens(texts: list[str]) -> Tensor:
        return tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids.to(target)

    named_tokens = tokens(named)

    def batch(draw: torch.Generator) -> tuple[Tensor, list[Description]]:
        index = torch.randint(len(pictures), (BATCH,), generator=draw)
        images = pictures.compose(index, draw, UNLIT_SHARE).permute(0, 3, 1, 2)
        shown = [pictures.descriptions[int(i)] for i in index]
        recoloured = int(RECOLOURED_SHARE * BATCH)
        images[:recoloured] = images[:recoloured, torch.randperm(3, generator=draw)]
        shown[:recoloured] = [_colourless(d) for d in shown[:recoloured]]
        images = (augment(images, draw) - NORMAL[0]) / NORMAL[1]
        return images.to(target, memory_format=torch.channels_last), shown

    def loss_of(step: int, draw: torch.Generator) -> Tensor:
        images, shown = batch(draw)
        captions = [data.random_caption(d, draw) for d in shown]
        wrong = [data.random_caption(_altered(d, draw), draw, drop=0.0) for d in shown]
        image = clip.encode_image(images, normalize=True).float()
        text = clip.encode_text(torch.cat((tokens(captions + wrong), named_tokens)), normalize=True).float()
        logits = clip.logit_scale.exp().clamp_max(100) * image @ text.T
        same = torch.tensor([[a == b for b in captions] for a in captions], device=target).float()
        to_text = same / same.sum(dim=1, keepdim=True)
        contrast, names = logits.split((2 * BATCH, len(named)), dim=1)
        loss = -(F.pad(to_text, (0, BATCH)) * contrast.log_softmax(dim=1)).sum(dim=1).mean()
        loss = loss - (to_text * logits[:, :BATCH].T.log_softmax(dim=1)).sum(dim=1).mean()
        kinds, coloured = names.split((len(KINDS), len(KINDS) * len(COLOURS)), dim=1)
        coloured = coloured.unflatten(1, (len(KINDS), len(COLOURS)))
        things = [(i, t, 1 / len(d.things)) for i, d in enumerate(shown) for t in d.things]
        kind_loss = _cross_entropy(kinds, [(i, KINDS.index(t.kind), share) for i, t, share in things])
        painted = [(i, t, share) for i, t, share in things if t.colour]
        of_kind = torch.stack([coloured[i, KINDS.index(t.kind)] for i, t, _ in painted])
        goals = [(row, COLOURS.index(str(t.colour)), share) for row, (_, t, share) in enumerate(painted)]
        return loss / 2 + kind_loss + _cross_entropy(of_kind, goals)

    train("clip", clip, loss_of, steps=steps, lr=2e-3, folder=folder, weight_decay=0.05)
    # the statistics of batch normalisation are those of the last steps, not of the averaged weights
    fresh = (batch(generator("miniature", "clip", "statistics", i))[0] for i in range(STATISTICS))
    torch.optim.swa_utils.update_bn(fresh, clip.visual)
    return clip.eval()


def _colourless(description: Description) -> Description:
    return replace(description, things=tuple(replace(t, colour=None) for t in description.things))


def _cross_entropy(logits: Tensor, goals: list[tuple[int, int, float]]) -> Tensor:
    """Mean cross-entropy of logits (n, k) over weighted goals (row, column, weight)."""
    rows, columns, weights = zip(*goals, strict=True)
    weight = torch.tensor(weights, device=logits.device)
    chosen = logits.log_softmax(dim=1)[list(rows), list(columns)]
    return -(weight * chosen).sum() / weight.sum()


def save(clip: open_clip.model.CLIP, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write the folder that open_clip loads as `local-dir:`, weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    (folder / "open_clip_config.json").write_text(json.dumps(config(tokenizer), indent=2) + "\n")
    weights = {k: v.detach().half().contiguous() for k, v in clip.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
