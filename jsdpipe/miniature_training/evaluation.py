"""Measure the miniature's models on held-out images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from jsdpipe.base.progress import progress
from jsdpipe.base.seeding import generator
from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import (
    COLORS,
    KINDS,
    RELATIONS,
    SUPPORTS,
    SURROUNDINGS,
    Description,
    Thing,
    caption,
    parse,
)
from jsdpipe.miniature.scenes import random_description
from jsdpipe.miniature_training.autoencoder import latents
from jsdpipe.models.clip import Clip

SCALES = (2.0, 3.0, 5.0, 7.5)
SEARCH = 48  # prompts per form, for finding the best guidance scale
SAMPLES = 96  # other prompts per form, for measuring at that scale
SAMPLING_STEPS = 25
SEEN = 0.2  # share of its own silhouette at which a thing can be seen


Captions = Callable[[NDArray[np.uint8]], list[str]]  # of images (N, 64, 64, 3)
Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float64]]  # of images (N, 64, 64, 3), of kinds (N, K)


def features(clip: Clip, images: Tensor) -> Tensor:
    """The CLIP's features (N, D) of images (N, 64, 64, 3) in [0, 1], computed as for scores, from 8 bits by PIL."""
    return clip.images(_bytes(images))


def prefers(clip: Clip, feature: Tensor, right: Description, wrong: list[Description]) -> bool:
    """Whether an image's feature (D,) is nearer to the caption of `right` than to those of all `wrong`."""
    scores = clip.texts([caption(d) for d in (right, *wrong)]) @ feature
    return bool(scores[0] > scores[1:].max())


def alternatives(d: Description) -> dict[str, list[Description]]:
    """For each attribute that `d` specifies, all descriptions that differ in it alone."""
    result: dict[str, list[Description]] = {}
    for i, thing in enumerate(d.things):
        kinds = SUPPORTS if d.relation == "on" and i == 1 else KINDS
        result[f"kind {i}"] = [d.with_thing(i, kind=k) for k in kinds if k != thing.kind]
        if thing.color:
            others = [c for c in COLORS if c != thing.color]
            result[f"color {i}"] = [d.with_thing(i, color=c) for c in others]
    if d.surrounding:
        result["surrounding"] = [replace(d, surrounding=s) for s in SURROUNDINGS if s != d.surrounding]
    if d.relation and d.things[1].kind in SUPPORTS:
        result["relation"] = [replace(d, relation=r) for r in RELATIONS if r != d.relation]
    return result


@dataclass(frozen=True)
class Found:
    """Shares of images in which a model recognizes the kind, the color, and everything specified but patterns.

    None is what it is not asked for.
    """

    kind: float
    color: float | None = None
    everything: float | None = None


def found(clip: Clip, images: Tensor, descriptions: list[Description]) -> Found:
    """Measure what the CLIP recognizes in images (N, 64, 64, 3) of known content.

    The kind is chosen among "a KIND" for all kinds, the color among "a COLOR KIND" for all colors, both of the first
    thing. Everything is found if no caption that differs in one specified attribute is nearer.
    """
    kind = color = everything = 0
    for feature, d in zip(features(clip, images), descriptions, strict=True):
        bare = Description((Thing(d.things[0].kind),))
        kind += prefers(clip, feature, bare, [Description((Thing(k),)) for k in KINDS if k != d.things[0].kind])
        painted = Description((Thing(d.things[0].kind, d.things[0].color),))
        color += prefers(clip, feature, painted, alternatives(painted).get("color 0", []))
        everything += all(prefers(clip, feature, d, wrong) for wrong in alternatives(d).values())
    n = len(descriptions)
    return Found(kind / n, color / n, everything / n)


def form_of(d: Description) -> str:
    """The form (prompt set) of a description."""
    return "multi" if d.relation else "surr" if d.surrounding else "single"


@torch.no_grad()
def sample(pipe: StableDiffusionPipeline, prompts: list[str], scale: float, seed: int = 0) -> Tensor:
    """Sample images (N, 64, 64, 3) in [0, 1] by DDIM."""
    draw = torch.Generator().manual_seed(seed)
    images = []
    for i in range(0, len(prompts), 32):
        out = pipe(
            prompts[i : i + 32],
            height=64,
            width=64,
            guidance_scale=scale,
            num_inference_steps=SAMPLING_STEPS,
            generator=draw,
            output_type="np",
        )
        images.append(torch.from_numpy(np.asarray(out.images)).float())
    return torch.cat(images)


def load_pipeline(folder: Path) -> StableDiffusionPipeline:
    """Load the diffusion model in single precision, without a progress bar."""
    pipe = StableDiffusionPipeline.from_pretrained(str(folder), safety_checker=None, dtype=torch.float32)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def held_out_truth(pictures: data.Pictures, count: int = 1500) -> tuple[Tensor, list[Description]]:
    """Composite held-out images from the usual elevations; returns them and their descriptions."""
    low, high = data.USUAL_ELEVATION
    usual = [i for i in range(len(pictures)) if low <= float(pictures.elevation[i]) <= high][:count]
    chosen = pictures.subset(usual)
    draw = torch.Generator().manual_seed(3)
    return chosen.compose(torch.arange(len(chosen)), draw), chosen.descriptions


def evaluate_clip(clip: Clip, pictures: data.Pictures) -> dict[str, Found]:
    """Measure the CLIP on held-out ground truth, by form."""
    images, descriptions = held_out_truth(pictures)
    result = {}
    for form in data.FORMS:
        rows = [i for i, d in enumerate(descriptions) if form_of(d) == form]
        result[form] = found(clip, images[rows], [descriptions[i] for i in rows])
    return result


def evaluate_captioner(
    captions: Captions, pictures: data.Pictures, flat: bool, everywhere: bool = False, count: int | None = None
) -> dict[str, Found]:
    """Measure captions of held-out pictures, by form and relation.

    Only pictures count in which everything that the caption names is seen: at least `SEEN` of its own silhouette.

    Args:
        flat: whether the images have flat colors on black, else light and a pale background.
        everywhere: whether all elevations count, else the usual ones.
        count: of pictures that are tried, at most.
    """
    images, truths = _seen(pictures, flat, everywhere, count)
    return _by_form(truths, _agreements(captions, images, truths))


def evaluate_classifier(
    probabilities: Probabilities, pictures: data.Pictures, flat: bool, everywhere: bool = False
) -> dict[str, Found]:
    """Measure in how many of the same pictures the most probable kinds are those shown, as many as there are."""
    images, truths = _seen(pictures, flat, everywhere)
    ranked = (-probabilities(_bytes(images))).argsort(axis=1)
    kinds = [{thing.kind for thing in d.things} for d in truths]
    agree = [({KINDS[i] for i in row[: len(of)]} == of,) for row, of in zip(ranked.tolist(), kinds, strict=True)]
    return _by_form(truths, agree)


def _seen(
    pictures: data.Pictures, flat: bool, everywhere: bool, count: int | None = None
) -> tuple[Tensor, list[Description]]:
    """The images and descriptions of pictures in which everything named is seen; arguments as `evaluate_captioner`."""
    low, high = (-90.0, 90.0) if everywhere else data.USUAL_ELEVATION
    usual = (pictures.elevation >= low) & (pictures.elevation <= high)
    index = torch.nonzero(usual & pictures.shown(SEEN).all(dim=1))[:count, 0]
    images = pictures.compose(index, torch.Generator().manual_seed(3), float(flat))
    return images, [pictures.descriptions[i] for i in index.tolist()]


def _by_form(truths: list[Description], agree: Sequence[tuple[bool, ...]]) -> dict[str, Found]:
    """Shares by form and by relation, of what agrees in each picture."""
    result = {}
    for form in (*data.FORMS, *RELATIONS):
        rows = [row for d, row in zip(truths, agree, strict=True) if form in (form_of(d), d.relation)]
        if rows:
            result[form] = Found(*np.mean(rows, axis=0).tolist())
    return result


def _bytes(images: Tensor) -> NDArray[np.uint8]:
    """Images in [0, 1] in 8 bits, as models get them."""
    rounded: NDArray[np.uint8] = (images * 255).round().byte().numpy()
    return rounded


def _agreements(captions: Captions, images: Tensor, truths: list[Description]) -> list[tuple[bool, bool, bool]]:
    """The agreements of images (N, 64, 64, 3) in [0, 1], as their captions tell them, with what they are to show."""
    told = captions(_bytes(images))
    return [_agreement(truth, parse(text)) for truth, text in zip(truths, told, strict=True)]


def _agreement(truth: Description, told: Description) -> tuple[bool, bool, bool]:
    """Whether all kinds, all colors, and everything but patterns agree; the things of "and" have no order."""

    def agree(things: tuple[Thing, ...]) -> tuple[bool, bool, bool]:
        same = len(things) == len(truth.things)
        kind = same and all(a.kind == b.kind for a, b in zip(things, truth.things, strict=True))
        color = same and all(a.color == b.color for a, b in zip(things, truth.things, strict=True))
        whole = kind and color and (told.relation, told.surrounding) == (truth.relation, truth.surrounding)
        return kind, color, whole

    orders = [told.things, told.things[::-1]] if truth.relation == "and" else [told.things]
    return max(map(agree, orders), key=sum)


def evaluate_autoencoder(pipe: StableDiffusionPipeline, pictures: data.Pictures) -> float:
    """The peak signal-to-noise ratio in dB on held-out ground truth."""
    images, _ = held_out_truth(pictures, 256)
    with torch.no_grad():
        z = latents(pipe.vae, images)
        back = pipe.vae.decode(z / pipe.vae.config.scaling_factor).sample.permute(0, 2, 3, 1)
    error = ((back / 2 + 0.5).clamp(0, 1) - images).square().mean()
    return float(-10 * error.log10())


def evaluate_samples(
    captions: Captions, pipe: StableDiffusionPipeline, scale: float, count: int, seed: str
) -> dict[str, Found]:
    """Measure samples of `count` random prompts per form at a guidance scale, with the captioner, by form."""
    result = {}
    with progress(f"sampling at guidance {scale:g}", len(data.FORMS) * count) as advance:
        for form in data.FORMS:
            draw = generator("miniature", "samples", seed, form)
            descriptions = [random_description(draw, form) for _ in range(count)]
            images = sample(pipe, [caption(d) for d in descriptions], scale)
            result[form] = Found(*np.mean(_agreements(captions, images, descriptions), axis=0).tolist())
            advance(count, f"{form}: everything {result[form].everything:.2f}")
    return result


def reward_normalization(clip: Clip, pictures: data.Pictures) -> dict[str, float]:
    """The mean and standard deviation of cosines between captions and held-out images, rendered unlit on black."""
    draw = torch.Generator().manual_seed(5)
    index = torch.arange(min(len(pictures), 2000))
    shown = features(clip, pictures.compose(index, draw, unlit_on_black=1.0))
    texts = clip.texts([caption(pictures.descriptions[int(i)]) for i in index])
    cosines = (shown * texts).sum(dim=-1)
    return {"mean": round(float(cosines.mean()), 6), "std": round(float(cosines.std()), 6)}


def grid(rows: list[Tensor], path: Path, zoom: int = 1) -> None:
    """Write rows of images (N, 64, 64, 3) as one PNG."""
    picture = torch.cat([torch.cat(list(row), dim=1) for row in rows], dim=0).clamp(0, 1)
    array = (picture.numpy() * 255).round().astype(np.uint8)
    image = Image.fromarray(array)
    image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST).save(path, optimize=True)
