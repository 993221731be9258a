"""The stage that measures how much the seeds of each prompt differ, and whether their views show what it names."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.device import available_device
from jsdpipe.base.files import read_fitting, sha256, write_json
from jsdpipe.base.progress import progress
from jsdpipe.config.prompts import Prompt
from jsdpipe.models.protocols import Classifier, Features
from jsdpipe.models.roles import CLASSIFIERS, FEATURES
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import Record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.render.view_archive import read_views
from jsdpipe.scoring.assets import PROTOCOL_VERSION, origin
from jsdpipe.scoring.diversedream import cosine, entropies, entropy, similarities


def score(run: Run, shard: Shard) -> None:
    """Score each prompt of a shard over its seeds that did not fail.

    An asset's `diversity.json` has the class and entropy of each view, and their mean probabilities, which make IV.
    Records, one a prompt, hold `seeds`, `failed_seeds`, `iq`, `iv_per_view`, `iv`, `cosine` and `similarities`, the
    cosine of every two seeds that did not fail (all None of fewer than two assets); and `recognition`: by seed, the
    share of the ring's views whose top class is the one that the prompt names (None if it does not name exactly one).
    One asset's pictures are in memory at a time.
    """
    assert run.config.diversity is not None
    device = available_device()
    classifier = CLASSIFIERS.load(run.config.diversity.classifier, device)
    extractor = FEATURES.load(run.config.diversity.features, device)
    failed = {(r["prompt_id"], r["seed"]): r["reason"] is not None for r in read_manifest(run, "render", shard)}
    records = []
    with progress(f"diversity {shard.name}", len(failed)) as advance:
        for prompt in shard.prompts:
            seeds = [seed for seed in shard.seeds if not failed[prompt.id, seed]]
            records.append(_score(run, shard, prompt, seeds, device, classifier, extractor))
            advance(len(shard.seeds))
    models = {"classifier": classifier.identity, "features": extractor.identity}
    write_manifest(run, "diversity", shard, records, origin(device, **models))


def _score(
    run: Run, shard: Shard, prompt: Prompt, seeds: list[int], device: str, classifier: Classifier, extractor: Features
) -> Record:
    """The record of one prompt, from its assets' files if all of them fit."""
    zips = {seed: run.layout.views(shard, prompt.id, seed) for seed in seeds}
    files = {seed: run.layout.asset(shard.key(prompt.id, seed)) / "diversity.json" for seed in seeds}
    sources = [(seed, sha256(path)) for seed, path in zips.items()]
    models = [classifier.identity, extractor.identity]
    expected = fingerprint(code(run, "diversity", shard), prompt.text, shard.seeds, sources, models, device)
    kept = [done["record"] for path in files.values() if (done := read_fitting(path, expected))]
    if kept and len(kept) == len(seeds):
        return kept[0]
    probabilities, features = {}, []
    for seed in seeds:
        images = read_views(zips[seed], "diversity")
        probabilities[seed] = classifier.probabilities(images)
        features.append(extractor.features(images))
    record: dict[str, Any] = {
        "prompt_id": prompt.id,
        "prompt": prompt.text,
        "seeds": list(shard.seeds),
        "failed_seeds": [seed for seed in shard.seeds if seed not in seeds],
        "recognition": recognition(prompt.text, probabilities, classifier.classes),
        **_differences(list(probabilities.values()), features),
    }
    for seed, path in files.items():
        details = {
            "class": [classifier.classes[i] for i in probabilities[seed].argmax(axis=1)],
            "entropy": entropy(probabilities[seed]).tolist(),
            "mean_probabilities": probabilities[seed].mean(axis=0).tolist(),
        }
        content = {"fingerprint": expected, "protocol_version": PROTOCOL_VERSION, "record": record, "views": details}
        write_json(path, content)
    return record


def _differences(probabilities: list[NDArray[np.float64]], features: list[NDArray[np.float64]]) -> dict[str, Any]:
    """What compares assets in a record, from each one's class probabilities (V, K) and features (V, D)."""
    if len(features) < 2:
        return dict.fromkeys(("iq", "iv_per_view", "iv", "cosine", "similarities"))
    matrix = similarities(np.stack(features))
    return {**entropies(np.stack(probabilities)), "cosine": cosine(matrix), "similarities": matrix.tolist()}


def named_class(prompt: str, classes: tuple[str, ...]) -> int | None:
    """The index of the one class that the prompt names as a whole word; None if it names none or several."""
    longest_first = sorted(classes, key=len, reverse=True)
    words = re.findall(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", prompt, flags=re.IGNORECASE)
    found = {word.lower() for word in words}
    named = [index for index, name in enumerate(classes) if name.lower() in found]
    return named[0] if len(named) == 1 else None


def recognition(
    prompt: str, probabilities: dict[int, NDArray[np.float64]], classes: tuple[str, ...]
) -> dict[str, float] | None:
    """By seed, the share of views (V, K) whose top class is the prompt's; None if it does not name exactly one."""
    named = named_class(prompt, classes)
    if named is None:
        return None
    return {str(seed): float((p.argmax(axis=1) == named).mean()) for seed, p in probabilities.items()}
