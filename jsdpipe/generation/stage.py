"""The stage `generate` of a recipe: a shard's assets, in batches."""

import torch

from jsdpipe.base.device import available_device
from jsdpipe.base.progress import progress
from jsdpipe.base.provenance import provenance
from jsdpipe.base.validation import at
from jsdpipe.generation.asset import batch_fingerprint, done, effort, failure, generate_batch
from jsdpipe.generation.budget import steps_within
from jsdpipe.generation.loop import Subject
from jsdpipe.model_files.formats import PRIOR
from jsdpipe.pipeline.fingerprints import code
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.prior.denoiser import load_adapter_unet
from jsdpipe.prior.prior import load_prior


def generate(run: Run, shard: Shard) -> None:
    """Generate a shard's assets by its method's recipe, and write the shard's manifest.

    If an asset of a batch is missing or has another fingerprint, the whole batch is redone, so that a resumed run gives
    the same bytes as an uninterrupted one.
    """
    config = run.config
    recipe = run.recipes[shard.method]
    assert config.prior is not None
    device = available_device()
    with at("prior.model"):
        prior = load_prior(config.prior.model, config.prior.revision, getattr(torch, config.prior.dtype), device)
    if recipe.adapter:
        with at(f"methods.{shard.method}.objective.adapter"):
            source = PRIOR.folder(config.prior.model, config.prior.revision)
            prior.adapted = load_adapter_unet(recipe.adapter.model, recipe.adapter.revision, prior, source)

    assets = list(shard.assets())
    subjects = [Subject(prompt.text, (config.seed, shard.method, prompt.id, seed)) for prompt, seed in assets]
    folders = [run.layout.asset(shard.key(prompt.id, seed)) for prompt, seed in assets]
    settings = config.generation
    size, views, budget = settings.batch_assets, settings.preview_views, settings.unet_samples
    batches = [slice(start, start + size) for start in range(0, len(assets), size)]
    by = code(run, "generate", shard)
    marks = [batch_fingerprint(by, subjects[batch], recipe, prior, views, budget) for batch in batches]
    missing = [
        (batch, mark)
        for batch, mark in zip(batches, marks, strict=True)
        if not all(done(folder, mark) for folder in folders[batch])
    ]
    steps = steps_within(budget, recipe) if budget and missing else recipe.steps
    with progress(f"generate {shard.name}", steps * len(missing)) as advance, at(f"methods.{shard.method}"):
        for batch, mark in missing:
            generate_batch(subjects[batch], folders[batch], recipe, prior, steps, views, mark, advance)
    records = [
        asset_record(*asset, reason=failure(folder), **effort(folder))
        for asset, folder in zip(assets, folders, strict=True)
    ]
    origin = provenance(device, **prior.identities)
    write_manifest(run, "generate", shard, records, origin)
