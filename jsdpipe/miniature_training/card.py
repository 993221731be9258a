"""Write the miniature's model card, its figures and images, and the CLIP's normalization as a reward."""

from functools import partial
from pathlib import Path

import jinja2
import open_clip
import torch
from torch import nn
from transformers import ResNetForImageClassification

from jsdpipe.base.files import write_json, write_text
from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import COLORS, KINDS, RELATIONS, SURROUNDINGS
from jsdpipe.miniature.tracing import SIZE
from jsdpipe.miniature_training import autoencoder, captioner, classifier, clip, diffusion, tokenizer
from jsdpipe.miniature_training.evaluation import (
    SAMPLES,
    SAMPLING_STEPS,
    SCALES,
    SEARCH,
    SEEN,
    Found,
    evaluate_autoencoder,
    evaluate_captioner,
    evaluate_classifier,
    evaluate_clip,
    evaluate_samples,
    grid,
    held_out_truth,
    load_pipeline,
    reward_normalization,
    sample,
)
from jsdpipe.model_files.pretrained import weights as read_weights
from jsdpipe.models.clip import Clip
from jsdpipe.models.miniature_captioner import CaptionerConfig, CaptionerNetwork, captions
from jsdpipe.models.miniature_classifier import probabilities

GRID_PROMPTS = (
    "a red mushroom",
    "a blue house",
    "a green tree",
    "a yellow donut",
    "a white snowman",
    "a purple rocket",
    "an orange table",
    "a striped black mug",
    "a spotted pink umbrella",
    "a yellow duck",
    "a red mushroom on green grass",
    "a blue car on a tiled floor",
    "a red ball and a blue cube",
    "a white duck on a red cube",
)
# goals: who names what in which pictures, for a form, a rate of `Found`, the least value
BARS = (
    ("CLIP, lit", "single", "kind", 0.97),
    ("CLIP, lit", "single", "color", 0.97),
    ("captioner, lit", "single", "kind", 0.97),
    ("captioner, lit", "single", "color", 0.98),
    ("classifier, lit", "single", "kind", 0.97),
    ("captioner, lit", "surr", "everything", 0.92),
    ("captioner, lit", "multi", "everything", 0.80),
    ("captioner, samples", "single", "kind", 0.95),
    ("captioner, samples", "surr", "everything", 0.85),
    ("captioner, samples", "multi", "everything", 0.75),
)
GRID_VIEWS = (", front view", ", side view", ", back view", ", overhead view", "", "")


def write(pictures_folder: Path, weights: Path, device: str) -> None:
    """Measure the models in `weights` on held-out images; write figures.json, README.md and its images there."""
    pictures = data.load(pictures_folder, held_out=True)
    model = Clip(weights / "clip", device)
    write_json(weights / "clip" / "normalisation.json", reward_normalization(model, pictures))
    pipe = load_pipeline(weights / "diffusion")
    network = read_weights(CaptionerNetwork, weights / "captioner", dtype=torch.float32).to(device).eval()
    kinds = read_weights(ResNetForImageClassification, weights / "classifier", dtype=torch.float32).to(device).eval()
    telling, classify = partial(captions, network), partial(probabilities, kinds)
    found = {
        "CLIP, lit": evaluate_clip(model, pictures),
        "captioner, lit": evaluate_captioner(telling, pictures, flat=False),
        "captioner, flat on black": evaluate_captioner(telling, pictures, flat=True),
        "captioner, flat on black, all elevations": evaluate_captioner(telling, pictures, flat=True, everywhere=True),
        "classifier, lit": evaluate_classifier(classify, pictures, flat=False),
        "classifier, flat on black": evaluate_classifier(classify, pictures, flat=True),
        "classifier, flat on black, all elevations": evaluate_classifier(
            classify, pictures, flat=True, everywhere=True
        ),
    }
    psnr = round(evaluate_autoencoder(pipe, pictures), 1)
    search = {scale: evaluate_samples(telling, pipe, scale, SEARCH, "search") for scale in SCALES}
    best = max(search, key=lambda scale: sum(f.everything or 0.0 for f in search[scale].values()))
    measured = evaluate_samples(telling, pipe, best, SAMPLES, "measured")
    prompts = [[prompt + view for view in GRID_VIEWS] for prompt in GRID_PROMPTS]
    grid([sample(pipe, row, best, seed=6) for row in prompts], weights / "samples.png", zoom=2)
    images, _ = held_out_truth(pictures, 84)
    grid([row for row in images.split(12) if len(row) == 12], weights / "world.png")
    named = found | {f"captioner, {3 * SAMPLES} samples, guidance {best:g}": measured}
    named |= {f"search: captioner, {3 * SEARCH} samples, guidance {scale:g}": by for scale, by in search.items()}
    figures = {name: {form: vars(rates) for form, rates in by.items()} for name, by in named.items()}
    write_json(weights / "figures.json", {"found": figures, "best_guidance_scale": best, "autoencoder_psnr_db": psnr})
    words = tokenizer.build()
    models = (
        ("autoencoder (`AutoencoderTiny`)", autoencoder.build(), autoencoder),
        ("U-Net and text encoder", diffusion.TextToLatents(words), diffusion),
        ("captioner", CaptionerNetwork(CaptionerConfig()), captioner),
        ("classifier", ResNetForImageClassification(classifier.config()), classifier),
        ("CLIP", open_clip.CLIP(**clip.config(words)["model_cfg"]), clip),
    )
    template = jinja2.Template((Path(__file__).parent / "card.md.j2").read_text(encoding="utf-8"))
    card = template.render(
        best=best,
        prompts=GRID_PROMPTS,
        held_out=len(pictures),
        pairs=[f"{color} {kind}" for kind, color in data.held_out_pairs()],
        sampling_steps=SAMPLING_STEPS,
        rows=named,
        bars=_bars(found | {"captioner, samples": measured}),
        kinds=len(KINDS),
        colors=len(COLORS),
        surroundings=len(SURROUNDINGS),
        size=SIZE,
        percent=_percent,
        seen=_percent(SEEN),
        relations=RELATIONS,
        psnr=psnr,
        pictures=f"{data.count(pictures_folder):,}",
        models=[(name, _millions(module), made.STEPS, made.BATCH) for name, module, made in models],
    )
    write_text(weights / "README.md", card + "\n")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _bars(found: dict[str, dict[str, Found]]) -> list[tuple[str, str, str, str]]:
    """For each goal: its name, the rate, the goal, and by how much it is missed."""
    rows = []
    for images, form, figure, bar in BARS:
        share = getattr(found[images][form], figure)
        verdict = "reached" if share >= bar else f"missed by {100 * (bar - share):.1f} points"
        rows.append((f"{images}, {form}: {figure}", _percent(share), _percent(bar), verdict))
    return rows


def _millions(module: nn.Module) -> str:
    return f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f}"
