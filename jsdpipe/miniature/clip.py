"""The miniature's CLIP, in open_clip's own model and folder format."""

import json
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

BATCH = 128
STEPS = 1600
UNLIT_SHARE = 0.4  # pictures drawn as the protocols draw meshes: flat colours on black
NORMAL = (0.5, 0.5)  # mean and deviation of the pre-processing


def config(tokenizer: CLIPTokenizer) -> dict[str, Any]:
    """open_clip's configuration of the model; any `hf_tokenizer_name` makes it read the tokenizer in its own folder."""
    model = {
        "embed_dim": 128,
        "vision_cfg": {"image_size": SIZE, "patch_size": 8, "width": 160, "layers": 6, "head_width": 40},
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": len(tokenizer),
            "hf_tokenizer_name": "local",
            "width": 96,
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
    half_height = torch.exp(torch.empty(n).uniform_(-0.45, 0.75, generator=draw))
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
    wrong = [c for c in COLOURS if c != thing.colour], [k for k in KINDS if k != thing.kind]
    if float(torch.rand((), generator=draw)) < 0.5:
        thing = Thing(thing.kind, wrong[0][int(torch.randint(len(wrong[0]), (), generator=draw))], thing.pattern)
    else:
        thing = Thing(wrong[1][int(torch.randint(len(wrong[1]), (), generator=draw))], thing.colour, thing.pattern)
    things = tuple(thing if i == which else t for i, t in enumerate(description.things))
    return Description(things, description.relation, description.surrounding)


def train_clip(
    pictures: data.Pictures, tokenizer: CLIPTokenizer, folder: Path, steps: int = STEPS
) -> open_clip.model.CLIP:
    """Train by contrast over captions, hard negatives, and the kinds and colours of single things.

    Captions that are equal count as positives of each other.
    """
    target = device()
    torch.manual_seed(0)
    clip = open_clip.CLIP(**config(tokenizer)["model_cfg"]).to(target)
    named = [str(Thing(k)) for k in KINDS] + [str(Thing(k, c)) for k in KINDS for c in COLOURS]

    def tokens(texts: list[str]) -> Tensor:
        return tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids.to(target)

    named_tokens = tokens(named)

    def loss_of(step: int, draw: torch.Generator) -> Tensor:
        index = torch.randint(len(pictures), (BATCH,), generator=draw)
        shown = [pictures.descriptions[int(i)] for i in index]
        images = pictures.compose(index, draw, UNLIT_SHARE).permute(0, 3, 1, 2)
        images = (augment(images, draw) - NORMAL[0]) / NORMAL[1]
        captions = [data.random_caption(d, draw) for d in shown]
        wrong = [data.random_caption(_altered(d, draw), draw, drop=0.0) for d in shown]
        ids = torch.cat((tokens(captions + wrong), named_tokens))
        image = clip.encode_image(images.to(target), normalize=True).float()
        text = clip.encode_text(ids, normalize=True).float()
        logits = clip.logit_scale.exp().clamp_max(100) * image @ text.T
        same = torch.tensor([[a == b for b in captions] for a in captions], device=target).float()
        to_text = same / same.sum(dim=1, keepdim=True)
        contrast = logits[:, : 2 * BATCH]
        loss = -(F.pad(to_text, (0, BATCH)) * contrast.log_softmax(dim=1)).sum(dim=1).mean()
        loss = loss - (to_text * logits[:, :BATCH].T.log_softmax(dim=1)).sum(dim=1).mean()
        lone = [i for i, d in enumerate(shown) if len(d.things) == 1]
        kind = torch.tensor([KINDS.index(shown[i].things[0].kind) for i in lone], device=target)
        colour = torch.tensor([COLOURS.index(shown[i].things[0].colour or "") for i in lone], device=target)
        kinds = logits[lone, 2 * BATCH : 2 * BATCH + len(KINDS)]
        coloured = logits[lone, 2 * BATCH + len(KINDS) :].reshape(len(lone), len(KINDS), len(COLOURS))
        own = coloured[torch.arange(len(lone)), kind]
        return loss / 2 + F.cross_entropy(kinds, kind) + F.cross_entropy(own, colour)

    train("clip", clip, loss_of, steps=steps, lr=1e-3, folder=folder, weight_decay=0.05)
    return clip


def save(clip: open_clip.model.CLIP, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write the folder that open_clip loads as `local-dir:`, weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    (folder / "open_clip_config.json").write_text(json.dumps(config(tokenizer), indent=2) + "\n")
    weights = {k: v.detach().half().contiguous() for k, v in clip.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
