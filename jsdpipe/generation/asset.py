"""An asset's files: scene.safetensors, preview.png, asset.json."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import atomic, read_json, write_json
from jsdpipe.base.progress import Advance, progress
from jsdpipe.base.schedules import size_at
from jsdpipe.config.prompts import prompt_id
from jsdpipe.config.recipe import Recipe
from jsdpipe.generation.loop import Subject, optimize
from jsdpipe.generation.outcome import Outcome
from jsdpipe.pipeline.fingerprints import fingerprint
from jsdpipe.prior.prior import Prior
from jsdpipe.scene.cameras import turntable
from jsdpipe.scene.files import save
from jsdpipe.scene.regularizers import OPAQUE
from jsdpipe.scene.scene import Scene


def generate_one(
    prompt: str, recipe: Recipe, prior: Prior, seed: int, folder: Path, code: str, preview_views: int = 8
) -> str | None:
    """Generate one asset into `folder`, by hand, unless it is there; returns why it failed, or None.

    `code` is the hash of the code that makes it.
    """
    subject = Subject(prompt, (0, "by hand", prompt_id(prompt), seed))
    mark = batch_fingerprint(code, [subject], recipe, prior, preview_views, None)
    if not done(folder, mark):
        with progress(f"generate {prompt[:40]}", recipe.steps) as advance:
            generate_batch([subject], [folder], recipe, prior, recipe.steps, preview_views, mark, advance)
    return failure(folder)


def generate_batch(
    subjects: list[Subject],
    folders: list[Path],
    recipe: Recipe,
    prior: Prior,
    steps: int,
    preview_views: int,
    mark: str,
    advance: Advance,
) -> None:
    """Generate assets side by side, and write each into its folder, with the fingerprint `mark`."""
    for folder, outcome in zip(folders, optimize(subjects, recipe, prior, advance, steps), strict=True):
        _write(folder, outcome, recipe, prior, preview_views, mark)


def batch_fingerprint(
    code: str,
    batch: Sequence[Subject],
    recipe: Recipe,
    prior: Prior,
    preview_views: int,
    unet_samples: int | None,
) -> str:
    """The fingerprint of a batch's assets: the code's hash, recipe, prior, budget, prompts and draws, and its device.

    The whole batch counts, because the last bits of an asset depend on what it shared its U-Net calls with.
    """
    adapted = [] if prior.adapted is prior else [prior.adapted.digest]
    return fingerprint(
        code,
        recipe.decisive,
        [prior.digest, str(prior.dtype), prior.device.type, *adapted],
        [[subject.text, *subject.key] for subject in batch],
        preview_views,
        unet_samples,
    )


def done(folder: Path, mark: str) -> bool:
    """Whether a folder holds a complete asset with this fingerprint."""
    try:
        asset = read_json(folder / "asset.json")
    except UserError:  # missing or damaged
        return False
    files = ("scene.safetensors", "preview.png") if asset["status"] == "ok" else ()
    return asset["fingerprint"] == mark and all((folder / name).is_file() for name in files)


def failure(folder: Path) -> str | None:
    """Why the asset in a folder failed, or None."""
    return read_json(folder / "asset.json")["reason"]


def effort(folder: Path) -> dict[str, Any]:
    """What the asset in a folder took: its `steps` and `unet_samples`."""
    asset = read_json(folder / "asset.json")
    return {name: asset[name] for name in ("steps", "unet_samples")}


def _write(folder: Path, outcome: Outcome, recipe: Recipe, prior: Prior, views: int, mark: str) -> None:
    """Write an asset's files, asset.json last; a failed asset has no scene."""
    reason = outcome.reason
    for name in ("asset.json", "scene.safetensors", "preview.png"):
        (folder / name).unlink(missing_ok=True)
    if reason is None:
        row, opacity = preview(outcome.scene, recipe, prior, views)
        with atomic(folder / "preview.png") as temporary:
            Image.fromarray(row).save(temporary)
        if opacity < OPAQUE:
            reason = f"the field is empty: no ray of the preview is opaque (at most {opacity:.3f})"
        else:
            save(folder / "scene.safetensors", outcome.scene)
    status = "ok" if reason is None else "failed"
    write_json(
        folder / "asset.json",
        {
            "status": status,
            "reason": reason,
            "fingerprint": mark,
            "steps": outcome.steps,
            "unet_samples": outcome.unet_samples,
            "history": outcome.history,
            "troubles": outcome.health.counts,
        },
    )


def preview(scene: Scene, recipe: Recipe, prior: Prior, views: int) -> tuple[np.ndarray, float]:
    """A row of views around a scene (size, views * size, 3) in 8 bits, and the largest opacity of their rays.

    Latents are decoded, to the size of the prior's images.
    """
    cameras, size = recipe.cameras, size_at(recipe.cameras.size, recipe.steps)
    rendering = scene.render(turntable(cameras, views), size, cameras.samples_per_ray)
    images = rendering.rgb.view(views, size, size, -1)
    if scene.settings.latent_channels:
        latents = images.permute(0, 3, 1, 2)
        images = torch.cat([prior.decode(one) for one in latents.split(1)]).permute(0, 2, 3, 1)
    row = torch.cat(images.unbind(), dim=1)
    return (row.clamp(0, 1) * 255).round().byte().cpu().numpy(), float(rendering.opacity.max())
