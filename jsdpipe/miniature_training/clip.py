"""The miniature's CLIP, in open_clip's own model and folder format."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTokenizer

from jsdpipe.base.seeding import generator
from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import COLORS, KINDS, PATTERNS, RELATIONS, SURROUNDINGS, Description, Thing, caption
from jsdpipe.miniature_training.augmentation import augment, recolor
from jsdpipe.miniature_training.degradation import degraded
from jsdpipe.miniature_training.evaluation import form_of
from jsdpipe.miniature_training.training import train

CAPTION_LENGTH = 12  # tokens; the longest caption takes 11, without a view suffix
BATCH = 96  # pictures per step
DEGRADED = 32  # of them: degraded, and compared with a version that is degraded more
STEPS = 7700
INPUT = 96  # pixels; larger than the images, so that the tower ends in 3 x 3 features instead of 2 x 2
UNLIT_SHARE = 0.6  # of images: flat colors on black, as the protocols render meshes
RECOLORED_SHARE = 0.5  # of images without a surrounding: colors mixed, and omitted from captions
HARD_NEGATIVES = 2  # captions with one wrong attribute, per picture
PAINTED_KINDS = 8  # kinds per step whose colors are classified
FORMS = tuple(data.FORMS)
PREFERENCE_WEIGHT = 2.0
LEVELS_WEIGHT = 0.1
STATISTICS = 50  # batches for the final statistics of batch normalization
NORMAL = (0.5, 0.5)  # mean and standard deviation for preprocessing


def config(tokenizer: CLIPTokenizer) -> dict[str, Any]:
    """The model's open_clip configuration; any `hf_tokenizer_name` makes open_clip load the tokenizer in its folder."""
    model = {
        "embed_dim": 128,
        "init_logit_bias": -5.0,
        "vision_cfg": {"image_size": INPUT, "layers": [2, 2, 2, 2], "width": 16, "head_width": 64},
        "text_cfg": {
            "context_length": CAPTION_LENGTH,
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


def altered(d: Description, draw: torch.Generator) -> Description:
    """Draw a hard negative: a description with one wrong attribute, not held out from training."""

    def other(values: Sequence[str], value: str) -> str:
        wrong = [v for v in values if v != value]
        return wrong[int(torch.randint(len(wrong), (), generator=draw))]

    while True:
        i = int(torch.randint(len(d.things), (), generator=draw))
        thing = d.things[i]
        options: list[Description] = [d.with_thing(i, kind=other(KINDS, thing.kind))]
        if thing.color:
            options.append(d.with_thing(i, color=other(COLORS, thing.color)))
        if thing.pattern:
            options.append(d.with_thing(i, pattern=other(PATTERNS, thing.pattern)))
        if d.surrounding:
            options.append(replace(d, surrounding=other(SURROUNDINGS, d.surrounding)))
        if d.relation:
            options.append(replace(d, relation=other(RELATIONS, d.relation)))
            first, second = d.things
            exchanged = (replace(first, color=second.color), replace(second, color=first.color))
            options += [replace(d, things=exchanged)] if exchanged != d.things else []
        chosen = options[int(torch.randint(len(options), (), generator=draw))]
        if not data.is_held_out(chosen):
            return chosen


def train_clip(pictures: data.Pictures, tokenizer: CLIPTokenizer, folder: Path, device: str) -> open_clip.model.CLIP:
    """Train with a contrastive loss over captions and hard negatives, by classifying kinds and colors, and as a reward.

    Equal captions are positives of each other. No text mentions a held-out pair.
    """
    torch.manual_seed(0)
    clip = open_clip.CLIP(**config(tokenizer)["model_cfg"]).to(device)
    clip.visual.to(memory_format=torch.channels_last)
    clear = torch.nonzero(pictures.shown().all(dim=1))[:, 0]
    of_kind = [str(Thing(k)) for k in KINDS]
    unseen = set(data.held_out_pairs())
    seen = torch.tensor([[(k, c) not in unseen for c in COLORS] for k in KINDS], device=device)

    def tokens(texts: list[str]) -> Tensor:
        ids = tokenizer(texts, padding="max_length", truncation=True, max_length=CAPTION_LENGTH, return_tensors="pt")
        return ids.input_ids.to(device)

    @torch.autocast("cpu", enabled=False)  # bfloat16 would lose colors
    def batch(draw: torch.Generator) -> tuple[Tensor, list[Description]]:
        """Pictures (BATCH, 3, INPUT, INPUT), then the first DEGRADED of them degraded more; what they show (BATCH)."""
        index = clear[torch.randint(len(clear), (BATCH,), generator=draw)]
        images = pictures.compose(index, draw, UNLIT_SHARE).permute(0, 3, 1, 2)
        shown = [pictures.descriptions[int(i)] for i in index]
        bare = torch.tensor([d.surrounding is None for d in shown])
        rows = torch.nonzero(bare & (torch.rand(BATCH, generator=draw) < RECOLORED_SHARE))[:, 0]
        images[rows] = recolor(images[rows], draw)
        for i in rows.tolist():
            shown[i] = replace(shown[i], things=tuple(replace(t, color=None) for t in shown[i].things))
        more = torch.rand(DEGRADED, generator=draw)
        less = more * torch.rand(DEGRADED, generator=draw).square()
        images = augment(images, draw)
        versions = degraded(images[:DEGRADED], torch.stack((less, more)), draw)
        images = torch.cat((versions[0], images[DEGRADED:], versions[1]))
        images = F.interpolate(images, (INPUT, INPUT), mode="bicubic").clamp(0, 1)
        images = (images - NORMAL[0]) / NORMAL[1]
        return images.to(device, memory_format=torch.channels_last), shown

    def loss_of(step: int, draw: torch.Generator) -> Tensor:
        images, shown = batch(draw)
        captions = [data.random_caption(d, draw) for d in shown]
        full = [caption(d) for d in shown]
        wrong = [data.random_caption(altered(d, draw), draw, drop=0.0) for d in shown for _ in range(HARD_NEGATIVES)]
        painted = torch.randperm(len(KINDS), generator=draw)[:PAINTED_KINDS].tolist()
        of_color = [str(Thing(KINDS[k], c)) for k in painted for c in COLORS]
        texts = (captions, wrong, full, of_kind, of_color)
        image = clip.encode_image(images, normalize=True).float()
        text = clip.encode_text(tokens([t for part in texts for t in part]), normalize=True).float()
        logits = clip.logit_scale.exp().clamp_max(100) * image @ text.T
        sizes = [len(part) for part in texts]
        true, false, asked, kinds, colors = logits[:BATCH].split(sizes, dim=1)
        _, _, worse, *_ = logits[BATCH:].split(sizes, dim=1)
        same = torch.tensor([[a == b for b in captions + wrong] for a in captions], device=device).float()
        to_text, to_image = same / same.sum(dim=1, keepdim=True), same[:, :BATCH] / same[:, :BATCH].sum(dim=0)
        loss = -(to_text * torch.cat((true, false), dim=1).log_softmax(dim=1)).sum(dim=1).mean()
        loss = loss - (to_image * true.log_softmax(dim=0)).sum(dim=0).mean()
        negatives = false.unflatten(1, (BATCH, HARD_NEGATIVES)).diagonal().T
        forms = torch.tensor([FORMS.index(form_of(d)) for d in shown], device=device)
        reward = reward_loss(asked.diagonal(), worse.diagonal(), negatives, forms, clip.logit_bias)
        things = [(i, t, 1 / len(d.things)) for i, d in enumerate(shown) for t in d.things]
        kind_loss = _cross_entropy(kinds, [(i, KINDS.index(t.kind), share) for i, t, share in things])
        colors = colors.unflatten(1, (PAINTED_KINDS, len(COLORS))).masked_fill(~seen[painted], -torch.inf)
        named = [(i, painted.index(k), t, w) for i, t, w in things if t.color and (k := KINDS.index(t.kind)) in painted]
        chosen = torch.stack([colors[i, k] for i, k, _, _ in named])
        goals = [(row, COLORS.index(str(t.color)), share) for row, (_, _, t, share) in enumerate(named)]
        return loss / 2 + reward + kind_loss + _cross_entropy(chosen, goals)

    train("clip", clip, loss_of, steps=STEPS, lr=2e-3, folder=folder, device=device, weight_decay=0.05)
    # the statistics of batch normalization are those of the last steps, not of the averaged weights
    fresh = (batch(generator("miniature", "clip", "statistics", i))[0] for i in range(STATISTICS))
    torch.optim.swa_utils.update_bn(fresh, clip.visual)
    return clip.eval()


def reward_loss(asked: Tensor, worse: Tensor, negatives: Tensor, forms: Tensor, bias: Tensor) -> Tensor:
    """What makes a reward of cosines: contrast only compares captions, but a reward must also compare pictures.

    - Of two degraded versions of a picture, the less degraded one must have the higher logit, in the model of Bradley
      and Terry, with which ImageReward (arXiv 2304.05977) learns from people.
    - Pictures match their captions but none of the hard negatives, by SigLIP's loss (arXiv 2303.15343).
    - The forms' mean logits are equal, by their variance.

    Args:
        asked: logits (B,) of pictures and their whole captions.
        worse: those of the first D pictures (D,), degraded more.
        negatives: logits (B, N) of pictures and captions with one wrong attribute.
        forms: the number of each picture's form (B,).
        bias: of SigLIP's loss, a scalar.
    """
    preference = F.softplus(worse - asked[: len(worse)]).mean()
    matching = F.softplus(-asked - bias).mean() + F.softplus(negatives + bias).mean()
    levels = torch.stack([asked[forms == form].mean() for form in forms.unique()])
    return PREFERENCE_WEIGHT * preference + matching + LEVELS_WEIGHT * levels.var(correction=0)


def _cross_entropy(logits: Tensor, goals: list[tuple[int, int, float]]) -> Tensor:
    """Mean cross-entropy of logits (N, K) over weighted targets (row, column, weight)."""
    rows, columns, weights = zip(*goals, strict=True)
    weight = torch.tensor(weights, device=logits.device)
    chosen = logits.log_softmax(dim=1)[list(rows), list(columns)]
    return -(weight * chosen).sum() / weight.sum()


def save(clip: open_clip.model.CLIP, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Save a folder that open_clip loads as `local-dir:`, with weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    (folder / "open_clip_config.json").write_text(json.dumps(config(tokenizer), indent=2) + "\n")
    weights = {k: v.detach().half().contiguous() for k, v in clip.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
