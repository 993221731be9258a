"""Make one asset from a prompt, in a folder of its own, without a run.

Torch-free until the work begins, so that mistakes are reported at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsdpipe.base.errors import UserError, shown, warn
from jsdpipe.base.files import read_json, try_writing, write_json
from jsdpipe.base.progress import progress
from jsdpipe.base.provenance import provenance
from jsdpipe.base.validation import at, validate
from jsdpipe.config.methods import RecipeMethod, used_by
from jsdpipe.config.plausibility import check_adapter_of, misfit, prior_sizes
from jsdpipe.config.prompts import Prompt, to_prompt
from jsdpipe.config.recipe import Recipe
from jsdpipe.config.recipes import in_one_word, read_recipe
from jsdpipe.config.run_config import Mesh, Prior, Resources
from jsdpipe.model_files.formats import PRIOR, UNET
from jsdpipe.pipeline.code_closure import closure
from jsdpipe.pipeline.layout import by_hand
from jsdpipe.pipeline.manifests import asset_record
from jsdpipe.planning.unfamiliar_prompts import warn_of_unfamiliar

RECIPE = "miniature/jsd"
RECORD = "record.json"
UNFINISHED = "unfinished"  # the status of a record whose asset is being made
# 40 % of the light is lost in a tenth of a world unit: less is haze in all of our scenes
RESOLUTION = 256
MESH = Mesh(resolution=RESOLUTION, threshold=5.0, min_component=0.02)


@dataclass(frozen=True)
class Made:
    """An asset that was made.

    Args:
        folder: the asset's folder.
        written: the files that were written, none if the asset was there already.
        reason: why the asset failed, or None.
    """

    folder: Path
    written: list[Path]
    reason: str | None


def make(
    prompt: str,
    recipe: str = RECIPE,
    prior: str | None = None,
    revision: str | None = None,
    dtype: str = "float32",
    seed: int = 0,
    out: Path | None = None,
) -> Made:
    """Make one asset from a prompt: its scene, its mesh, a picture, and `record.json`, which states all its inputs.

    If the folder holds this asset already, nothing is done; unfinished work is resumed.

    Args:
        prompt: a description of the asset.
        recipe: the name or path of a recipe.
        prior: a folder in diffusers' format, a hub id, or "miniature"; by default the recipe's.
        revision: a branch, tag or commit of the hub id.
        dtype: "float32", "float16" or "bfloat16", of the prior's weights.
        seed: another seed gives another asset.
        out: the asset's folder; by default `results/by-hand/<prompt>/<recipe>/seed<N>`.

    Raises:
        UserError: an argument is wrong, or the folder holds anything else.
    """
    with at("PROMPT"):
        subject = to_prompt(prompt)
    with at("--recipe"):
        file = read_recipe(recipe)
    stated = {"model": "the recipe's" if prior is None else prior, "revision": revision, "dtype": dtype}
    of = validate(Prior, stated, "--prior")
    if prior is not None:
        with at("--prior"):
            PRIOR.local_folder(prior, revision)
    folder = by_hand(subject.id, in_one_word(recipe), seed) if out is None else out
    record = _record(folder)
    inputs: dict[str, Any] = {"prompt": subject.text, "seed": seed}
    _check_same(folder, record, inputs)
    with at("--recipe"):
        settings = file.validated()  # only now, because it imports torch
    if prior is None:
        of = of.model_copy(update={"model": settings.prior})
    inputs |= {
        "recipe": settings.decisive,
        "prior": {"dtype": of.dtype},
        "mesh": MESH.model_dump(mode="json"),
        # and the libraries' versions
        "code": {
            stage: closure(RecipeMethod.functions[stage], *used_by(settings, stage)).hash
            for stage in ("generate", "mesh")
        },
    }
    with at("--recipe"):
        check_adapter_of(settings, of.model, of.revision)
    with at("--prior"):
        fit = misfit(settings, of.model, prior_sizes(of.model, of.revision))
    _check_same(folder, record, inputs)
    with at("--prior"):
        source = PRIOR.folder(of.model, of.revision)
    if record:
        _check_same(folder, record, {"prior": {"sha256": PRIOR.digest(source)}, **_adapter(settings)})
        if record["status"] != UNFINISHED and all((folder / name).is_file() for name in record["files"]):
            return Made(folder, [], record["reason"])
    warn(fit)
    if of.model in PRIOR.own:
        warn_of_unfamiliar([("PROMPT", subject.text)])
    return _made(folder, subject, seed, settings, of, inputs)


def _adapter(recipe: Recipe) -> dict[str, Any]:
    """What a record says of another model on whose U-Net the adapter sits, which is fetched if it must be."""
    if recipe.adapter is None:
        return {}
    with at("--recipe: objective.adapter"):
        return {"adapter": {"sha256": UNET.digest(UNET.folder(recipe.adapter.model, recipe.adapter.revision))}}


def _record(folder: Path) -> dict[str, Any]:
    """What the record in a folder says; {} of a folder that is free, or where no file of a stopped work was whole yet.

    `UserError` if the folder holds anything but an asset with its record, or is free but cannot be written to.
    """
    try:
        held = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if not held:
            try_writing(folder)
    except OSError as error:
        raise UserError(f"--out: {folder}: cannot be written to ({error.strerror}); give another folder") from None
    if not held:
        return {}
    try:
        record = read_json(folder / RECORD)
    except UserError:  # missing or damaged
        record = None
    if not isinstance(record, dict):
        raise UserError(f"--out: {folder}: holds files, but no {RECORD} of an asset; give another folder")
    nothing_yet = record.get("status") == UNFINISHED and all(name.startswith(".") for name in held - {RECORD})
    return {} if nothing_yet else record


def _check_same(folder: Path, record: dict[str, Any], inputs: dict[str, Any]) -> None:
    """Raise `UserError`, naming the first key that differs, if a folder's record is of other inputs."""
    if record and (difference := next(_differences(record, inputs), None)):
        key, there, here = difference
        raise UserError(
            f"{folder}: holds an asset of another {key}, {shown(there)}, not {shown(here)}; "
            "give another folder: --out FOLDER, or remove this one"
        )


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The keys of `here` that are not so `there`, dotted, and both values."""
    for key, value in here.items():
        other = there.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from _differences(other, value, f"{place}{key}.")
        elif other != value:
            yield f"{place}{key}", other, value


def _made(folder: Path, subject: Prompt, seed: int, recipe: Recipe, prior: Prior, inputs: dict[str, Any]) -> Made:
    """Do the work; its record stands first as unfinished, so that a folder always says what it is of."""
    import torch

    from jsdpipe.base.device import available_device
    from jsdpipe.generation import generate_one
    from jsdpipe.mesh.stage import extract_one
    from jsdpipe.prior.denoiser import load_adapter_unet
    from jsdpipe.prior.prior import load_prior

    torch.set_num_threads(Resources().threads)  # as a job of the workflow: the last bits depend on it
    device = available_device()
    with at("--prior"):
        model = load_prior(prior.model, prior.revision, getattr(torch, prior.dtype), device)
    if recipe.adapter:
        with at("--recipe: objective.adapter"):
            source = PRIOR.folder(prior.model, prior.revision)
            model.adapted = load_adapter_unet(recipe.adapter.model, recipe.adapter.revision, model, source)
    inputs = inputs | {"prior": {"dtype": prior.dtype, "sha256": model.digest}} | _adapter(recipe)
    before = _stamps(folder)
    write_json(folder / RECORD, inputs | {"status": UNFINISHED})
    with at("--recipe"):
        failed = generate_one(subject.text, recipe, model, seed, folder, inputs["code"]["generate"])
    with progress(f"mesh {subject.text[:40]}", RESOLUTION) as advance:
        reason, numbers = extract_one(folder, failed, inputs["code"]["mesh"], MESH, advance)
    record = asset_record(subject, seed, reason, **numbers) | inputs
    record |= {
        "files": sorted(path.name for path in _stamps(folder)),
        "provenance": provenance(device, **model.identities),
    }
    write_json(folder / RECORD, record)
    written = [path for path, stamp in _stamps(folder).items() if before.get(path) != stamp]
    return Made(folder, sorted(written), reason)


def _stamps(folder: Path) -> dict[Path, int]:
    """The files in a folder, and when each was written; without what a stopped work left half-written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*")}
