"""One asset of a prompt, made by hand: generated and meshed in a folder of its own, without a run."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from jsdpipe.config import Mesh
from jsdpipe.config import Prior as PriorConfig
from jsdpipe.device import device
from jsdpipe.errors import UserError, warn
from jsdpipe.files import write_json
from jsdpipe.generation import generate_one
from jsdpipe.layout import by_hand
from jsdpipe.manifests import asset_record
from jsdpipe.mesh.stage import extract_one
from jsdpipe.plausibility import misfit, prior_size
from jsdpipe.prior import Prior, load_prior
from jsdpipe.progress import progress
from jsdpipe.prompts import to_prompt
from jsdpipe.provenance import provenance
from jsdpipe.recipes import load_recipe
from jsdpipe.validation import at, validate

# 40 % of the light is lost in a tenth of a world unit: less is haze in all of our scenes
MESH = Mesh(resolution=256, threshold=5.0, min_component=0.02)


@dataclass(frozen=True)
class Made:
    """What became of an asset: its folder, the files that had to be written there, and why it failed, or None."""

    folder: Path
    written: list[Path]
    reason: str | None


def make(
    prompt: str,
    recipe: str | None = None,
    prior: str | None = None,
    revision: str | None = None,
    dtype: str | None = None,
    seed: int | None = None,
    out: Path | None = None,
) -> Made:
    """Make an asset and its mesh in the folder `out`, and last `record.json`, which says how and from what.

    The other arguments are a recipe's name or path, a prior as a configuration states it, and a seed; all have
    defaults, but a recipe and its prior only together. Files that were made from the same inputs are kept, those from
    others replaced. `UserError` if an argument is wrong.
    """
    if (recipe is None) != (prior is None):
        raise UserError("generate: --recipe and --prior belong together, as a recipe is made for a model; give both")
    with at("PROMPT"):
        subject = to_prompt(prompt)
    recipe, seed = "jsd-miniature" if recipe is None else recipe, seed or 0
    with at("--recipe"):
        settings = load_recipe(recipe)
    folder = by_hand(subject.id, recipe, seed) if out is None else out
    with at("--prior"):
        warn(misfit(settings, prior_size("miniature" if prior is None else prior, revision)))
    model = _load(prior, revision, dtype)
    _check_writable(folder)

    before, record = _stamps(folder), folder / "record.json"
    record.unlink(missing_ok=True)
    failed = generate_one(subject.text, settings, model, seed, folder)
    with progress(f"mesh {subject.text[:40]}", MESH.resolution) as advance:
        reason, numbers = extract_one(folder, failed, MESH, advance)
    written = {path for path, stamp in _stamps(folder).items() if before.get(path) != stamp}
    origin = {
        "recipe": settings.model_dump(mode="json"),
        "mesh": MESH.model_dump(),
        "provenance": provenance(device(), prior=f"{model.name} sha256:{model.digest}"),
    }
    write_json(record, asset_record(subject, seed, reason, **numbers) | origin)
    if written or record not in before:
        written.add(record)
    return Made(folder, sorted(written), reason)


def _load(prior: str | None, revision: str | None, dtype: str | None) -> Prior:
    stated = {"model": "miniature" if prior is None else prior, "revision": revision, "dtype": dtype or "float32"}
    of = validate(PriorConfig, stated, "--prior")
    with at("--prior"):
        return load_prior(of.model, of.revision, getattr(torch, of.dtype), device())


def _check_writable(folder: Path) -> None:
    """Raise `UserError` now, and not after the work, if no file can be written to a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"--out: {folder}: cannot be written to ({error.strerror}); give another folder") from None


def _stamps(folder: Path) -> dict[Path, int]:
    """The files in a folder, and when each was written."""
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}
