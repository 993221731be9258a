"""The model card of the miniature's models: held-out figures, a grid of samples, the reward's normalisation."""

from pathlib import Path

import jinja2
import open_clip
from torch import nn

from jsdpipe.files import write_json, write_text
from jsdpipe.miniature import autoencoder, clip, data, diffusion, tokenizer
from jsdpipe.miniature.evaluation import (
    SAMPLES,
    SAMPLING_STEPS,
    SCALES,
    SEARCH,
    Judge,
    evaluate_autoencoder,
    evaluate_clip,
    evaluate_samples,
    grid,
    held_out_truth,
    load_pipeline,
    reward_normalisation,
    sample,
)

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
GRID_VIEWS = (", front view", ", side view", ", back view", ", overhead view", "", "")


def write(pictures_folder: Path, weights: Path) -> None:
    """Measure the models in `weights` on held-out pictures; write figures.json, README.md and their pictures there."""
    pictures = data.load(pictures_folder, held_out=True)
    judge = Judge(weights / "clip")
    write_json(weights / "clip" / "normalisation.json", reward_normalisation(judge, pictures))
    pipe = load_pipeline(weights / "diffusion")
    truth = evaluate_clip(judge, pictures)
    psnr = round(evaluate_autoencoder(pipe, pictures), 1)
    search = {scale: evaluate_samples(judge, pipe, scale, SEARCH, "search") for scale in SCALES}
    best = max(search, key=lambda scale: sum(f.everything for f in search[scale].values()))
    measured = evaluate_samples(judge, pipe, best, SAMPLES, "measured")
    prompts = [[prompt + view for view in GRID_VIEWS] for prompt in GRID_PROMPTS]
    grid([sample(pipe, row, best, seed=6) for row in prompts], weights / "samples.png", zoom=2)
    images, _ = held_out_truth(pictures, 84)
    grid(list(images.reshape(7, 12, *images.shape[1:])), weights / "world.png")
    named = {"ground truth": truth, f"{3 * SAMPLES} samples, guidance {best:g}": measured}
    named |= {f"search: {3 * SEARCH} samples, guidance {scale:g}": by for scale, by in search.items()}
    figures = {name: {form: vars(found) for form, found in by.items()} for name, by in named.items()}
    write_json(weights / "figures.json", {"found": figures, "best_guidance_scale": best, "autoencoder_psnr_db": psnr})
    words = tokenizer.build()
    models = (
        ("autoencoder (`AutoencoderTiny`)", autoencoder.build(), autoencoder),
        ("U-Net and text encoder", diffusion.TextToLatents(words), diffusion),
        ("CLIP", open_clip.CLIP(**clip.config(words)["model_cfg"]), clip),
    )
    template = jinja2.Template((Path(__file__).parent / "card.md.j2").read_text(encoding="utf-8"))
    card = template.render(
        best=best,
        prompts=GRID_PROMPTS,
        held_out=len(pictures),
        pairs=[f"{colour} {kind}" for kind, colour in data.held_out_pairs()],
        sampling_steps=SAMPLING_STEPS,
        rows=named,
        percent=lambda share: f"{100 * share:.1f} %",
        psnr=psnr,
        models=[(name, _millions(module), made.STEPS, made.BATCH) for name, module, made in models],
    )
    write_text(weights / "README.md", card + "\n")


def _millions(module: nn.Module) -> str:
    return f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f}"
