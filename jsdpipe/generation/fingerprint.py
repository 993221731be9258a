"""What an asset depends on, as one hash."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

import jsdpipe
from jsdpipe.files import sha256
from jsdpipe.generation.loop import Subject
from jsdpipe.prior import Prior
from jsdpipe.recipes.models import Recipe

CODE = ("cameras.py", "seeding.py", "generation", "objectives", "prior", "scene")


def fingerprint(batch: Sequence[Subject], recipe: Recipe, prior: Prior, preview_views: int) -> str:
    """Hash of the recipe, the prior, the batch's prompts and draws, the code, and where it runs.

    The whole batch counts, because the last bits of an asset depend on what it shared its U-Net calls with.
    """
    value = {
        "recipe": recipe.model_dump(mode="json"),
        "prior": prior.digest,
        "dtype": str(prior.dtype),
        "device": prior.device.type,
        "batch": [[subject.text, *subject.key] for subject in batch],
        "preview_views": preview_views,
        "code": code_version(),
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@cache
def code_version() -> str:
    """Hash of the source files that an asset's bytes come from."""
    root = Path(jsdpipe.__file__).parent
    files = sorted(
        file for name in CODE for file in ((root / name).rglob("*.py") if "." not in name else [root / name])
    )
    listing = "".join(f"{file.relative_to(root).as_posix()}\0{sha256(file)}\0" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()
