"""DiverseDream's diversity over the seeds of one prompt (arXiv 2312.02192), and what the views are recognised as."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from jsdpipe.device import device
from jsdpipe.files import read_fitting, sha256, write_json
from jsdpipe.fingerprints import fingerprint
from jsdpipe.layout import Shard
from jsdpipe.manifests import Record, read_manifest, write_manifest
from jsdpipe.mesh.views import read_views
from jsdpipe.progress import progress
from jsdpipe.prompts import Prompt
from jsdpipe.run import Run
from jsdpipe.scoring.models import Classifier, Features, load
from jsdpipe.scoring.protocol import PROTOCOL_VERSION, origin


def entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy in nats over the last axis."""
    return entr(probabilities).sum(axis=-1)


def iq(probabilities: NDArray[np.float64]) -> float:
    """Mean entropy of the images' class probabilities (..., K): lower is better."""
    return float(entropy(probabilities).mean())


def iv(probabilities: NDArray[np.float64]) -> float:
    """Entropy of the mean class probabilities of all images (..., K): higher is better, at least IQ, at most ln K."""
    return float(entropy(probabilities.reshape(-1, probabilities.shape[-1]).mean(axis=0)))


def cosine(features: NDArray[np.float64]) -> float:
    """Mean cosine similarity over pairs of assets at the same view, then over views: lower is more diverse.

    `features` (S, V, D) of S >= 2 assets.
    """
    unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
    first, second = np.triu_indices(len(features), k=1)
    return float((unit[first] * unit[second]).sum(axis=-1).mean())


def named_class(prompt: str, classes: tuple[str, ...]) -> int | None:
    """The index of the one class that the prompt names as a whole word; None if it names none or several."""
    longest_first = sorted(classes, key=len, reverse=True)
    words = re.findall(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", prompt, flags=re.IGNORECASE)
    found = {word.lower() for word in words}
    named = [index for index, name in enumerate(classes) if name.lower() in found]
    return named[0] if len(named) == 1 else None


def score(run: Run, shard: Shard) -> None:
    """Score each prompt of a shard over its seeds that did not fail; `diversity.json` of an asset has its views.

    Records, one a prompt, hold `seeds`, `failed_seeds`, `iq`, `iv` and `cosine` (None of fewer than two assets), and
    `recognition`: by seed, the share of the ring's views whose top class is the one that the prompt names (None if it
    does not name exactly one).
    """
    classifier: Classifier = load(run.config.diversity.classifier)
    extractor: Features = load(run.config.diversity.features)
    failed = {(r["prompt_id"], r["seed"]): r["reason"] is not None for r in read_manifest(run, "render", shard)}
    records = []
    with progress(f"diversity {shard.name}", len(failed)) as advance:
        for prompt in shard.prompts:
            seeds = [seed for seed in shard.seeds if not failed[prompt.id, seed]]
            records.append(_score(run, shard, prompt, seeds, classifier, extractor))
            advance(len(shard.seeds))
    models = {"classifier": classifier.identity, "features": extractor.identity}
    write_manifest(run, "diversity", shard, records, origin(**models))


def _score(
    run: Run, shard: Shard, prompt: Prompt, seeds: list[int], classifier: Classifier, extractor: Features
) -> Record:
    """The record of one prompt, from its assets' files if all of them fit."""
    zips = {seed: run.layout.views(shard, prompt.id, seed) for seed in seeds}
    files = {seed: run.layout.asset(shard.method, shard.set, prompt.id, seed) / "diversity.json" for seed in seeds}
    sources = [(seed, sha256(path)) for seed, path in zips.items()]
    models = [classifier.identity, extractor.identity]
    expected = fingerprint("diversity", prompt.text, shard.seeds, sources, models, device())
    kept = [done["record"] for path in files.values() if (done := read_fitting(path, expected))]
    if kept and len(kept) == len(seeds):
        return kept[0]
    probabilities, features = {}, []
    for seed in seeds:
        images = read_views(zips[seed], "diversity")
        probabilities[seed] = classifier.probabilities(images)
        features.append(extractor.features(images))
    several = np.stack(list(probabilities.values())) if len(seeds) > 1 else None
    record: dict[str, Any] = {
        "prompt_id": prompt.id,
        "prompt": prompt.text,
        "seeds": list(shard.seeds),
        "failed_seeds": [seed for seed in shard.seeds if seed not in seeds],
        "iq": None if several is None else iq(several),
        "iv": None if several is None else iv(several),
        "cosine": None if several is None else cosine(np.stack(features)),
        "recognition": _recognition(prompt, probabilities, classifier.classes),
    }
    for seed, path in files.items():
        details = {
            "class": [classifier.classes[i] for i in probabilities[seed].argmax(axis=1)],
            "entropy": entropy(probabilities[seed]).tolist(),
        }
        content = {"fingerprint": expected, "protocol_version": PROTOCOL_VERSION, "record": record, "views": details}
        write_json(path, content)
    return record


def _recognition(
    prompt: Prompt, probabilities: dict[int, NDArray[np.float64]], classes: tuple[str, ...]
) -> dict[str, float] | None:
    named = named_class(prompt.text, classes)
    if named is None:
        return None
    return {str(seed): float((p.argmax(axis=1) == named).mean()) for seed, p in probabilities.items()}
