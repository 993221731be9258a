"""The stage `metrics`: the metrics that a configuration names, of assets and of the assets of a prompt."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from jsdpipe.base.device import available_device
from jsdpipe.base.errors import UserError, first_line
from jsdpipe.base.files import read_fitting, read_json, sha256, write_json
from jsdpipe.base.progress import progress
from jsdpipe.base.provenance import provenance
from jsdpipe.base.registry import line_in
from jsdpipe.base.validation import at
from jsdpipe.config.prompts import Prompt
from jsdpipe.metrics.base import METRICS, STAGE, Metric, source
from jsdpipe.pipeline.code_closure import closure
from jsdpipe.pipeline.fingerprints import fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, check_there, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.render.view_archive import read_views


@dataclass(frozen=True)
class Asset:
    """What a metric sees of an asset that did not fail: its `prompt` and `seed`, and what the metric needs.

    Files are read when they are asked for. What the metric does not state among its needs is a `UserError`.
    """

    prompt: str
    seed: int
    _needs: tuple[str, ...]
    _folder: Path
    _views: Path

    def views(self, rig: str) -> NDArray[np.uint8]:
        """The views of a rig, "quality", "alignment" or "diversity": RGB (V, S, S, 3), black where there is nothing."""
        self._check(f"views:{rig}")
        return read_views(self._views, rig)

    @property
    def mesh(self) -> trimesh.Trimesh:
        """The mesh as `mesh.glb` has it: y up, the front on +z; vertices along the seams of a texture are doubled."""
        self._check("mesh")
        return trimesh.load_mesh(self._folder / "mesh.glb", process=False)

    @property
    def captions(self) -> list[str]:
        """What the captioner says of each alignment view."""
        self._check("captions")
        captions: list[str] = read_json(self._folder / "captions.json")["captions"]
        return captions

    def sources(self) -> list[Any]:
        """What the needs hold, as hashes."""
        hashes: dict[str, Callable[[], Any]] = {
            "mesh": lambda: sha256(self._folder / "mesh.glb"),
            "captions": lambda: self.captions,
        }
        return [hashes.get(need, lambda: sha256(self._views))() for need in self._needs]

    def _check(self, need: str) -> None:
        if need not in self._needs:
            raise UserError(f"takes {need!r}, which is not among its needs; add it there")


def score(run: Run, shard: Shard) -> None:
    """Compute the run's own metrics of a shard; what was computed of the same inputs by the same file is kept.

    Records, one an asset, hold `values`, by metric, and `of_prompt`: the values of its prompt's assets together. A
    failed asset has the values that the metrics have for one; it is left out of what is computed per prompt.
    """
    device = available_device()
    named = [METRICS[name] for name in run.config.metrics or []]
    if any("captions" in metric.needs for metric in named):
        check_there(run, ("alignment",), shard)
    rendered = read_manifest(run, "render", shard)
    reasons = {(record["prompt_id"], record["seed"]): record["reason"] for record in rendered}
    digests = {metric.name: sha256(source(metric.name)) for metric in named}
    records = []
    with progress(f"{STAGE} {shard.name}", len(reasons)) as advance:
        for prompt in shard.prompts:
            whole = [seed for seed in shard.seeds if reasons[prompt.id, seed] is None]

            def value(metric: Metric, seeds: Sequence[int], prompt: Prompt = prompt) -> float | None:
                return _value(run, shard, metric, prompt, seeds, device)

            of_prompt = {of.name: value(of, whole) if whole else None for of in named if of.per == "prompt"}
            for seed in shard.seeds:
                values = {
                    of.name: value(of, [seed]) if seed in whole else of.failed for of in named if of.per == "asset"
                }
                reason = reasons[prompt.id, seed]
                records.append(asset_record(prompt, seed, reason, values=values, of_prompt=of_prompt))
                advance()
    identities = {name: f"{METRICS.root(name)}, sha256 {digest}" for name, digest in digests.items()}
    write_manifest(run, STAGE, shard, records, provenance(device, **identities))


def _value(run: Run, shard: Shard, metric: Metric, prompt: Prompt, seeds: Sequence[int], device: str) -> float | None:
    """A metric's value of some seeds of a prompt, from the file that keeps it if that fits."""
    assets = [
        Asset(
            prompt.text,
            seed,
            metric.needs,
            run.layout.asset(shard.key(prompt.id, seed)),
            run.layout.views(shard, prompt.id, seed),
        )
        for seed in seeds
    ]
    single = metric.per == "asset"
    seed = seeds[0] if single else None
    path = run.layout.metric(metric.name, shard.key(prompt.id, seeds[0]), of_prompt=not single)
    sources = [[asset.seed, asset.sources()] for asset in assets]
    code = closure(__name__, str(METRICS.root(metric.name))).hash
    expected = fingerprint(code, metric.name, prompt.text, sources, device)
    done = read_fitting(path, expected)
    if done is None:
        where = f"{METRICS.root(metric.name)}: metric {metric.name!r} of {prompt.id}" + f", seed {seed}" * single
        with at(where):
            done = {"fingerprint": expected, "value": _computed(metric, assets[0] if single else assets)}
        write_json(path, done)
    value: float | None = done["value"]
    return value


def _computed(metric: Metric, of: Asset | list[Asset]) -> float | None:
    """What a metric's function returns; `UserError` if it fails, or returns anything but a finite number or None."""
    assert metric.compute is not None
    try:
        value: Any = metric.compute(of)
    except UserError:
        raise
    except Exception as error:  # a stranger's function may raise anything
        line = line_in(source(metric.name), error)
        raise UserError(f"{line}{type(error).__name__}: {first_line(error)}; mend it") from None
    if value is None:
        return None
    if not isinstance(value, Real):
        raise UserError(f"returns {type(value).__name__}; return a number, or None where it is unknown")
    if not math.isfinite(value):
        raise UserError(f"returns {value}; return None where it is unknown")
    return float(value)
