"""The stage that measures how near each asset is to the miniature world's own scenes for its prompt."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from jsdpipe.base.files import atomic, read_fitting, sha256, write_json
from jsdpipe.base.progress import progress
from jsdpipe.base.seeding import generator, seed_of
from jsdpipe.config.prompts import Prompt
from jsdpipe.mesh import glb
from jsdpipe.mesh.reading import BadMesh
from jsdpipe.mesh.samples import sample
from jsdpipe.miniature.grammar import parse
from jsdpipe.miniature.likeness import MET
from jsdpipe.miniature.scenes import compose
from jsdpipe.miniature.surface_points import SurfacePoints, surface_points
from jsdpipe.pipeline.fingerprints import code, fingerprint
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.scoring.assets import PROTOCOL_VERSION, Numbers, origin
from jsdpipe.scoring.clouds import POINTS, Cloud, Comparison, features, overlaps, silhouettes

THERE = 0.5  # the least share of a thing's points that are matched if it is there
# the size of every asset, and the distance of black and white, stand for distances that are unbounded
FAILED: Numbers = {
    "chamfer": 1.0, "color_error": 100.0, "silhouette": 0.0, "parts": 0.0, "f_score": 0.0, "colored_f_score": 0.0
}  # fmt: skip


@dataclass(frozen=True)
class Instances:
    """True scenes of a prompt, as points."""

    scenes: list[SurfacePoints]

    @classmethod
    def drawn(cls, run_seed: int, prompt: Prompt, count: int) -> Self:
        """Draw scenes of the world that no method of kind `truth` shows."""
        scenes = compose([parse(prompt.text)] * count, generator(run_seed, "true instances", prompt.id))
        rng = np.random.default_rng(seed_of(run_seed, "true instances' points", prompt.id))
        return cls(surface_points(scenes, POINTS, rng))

    @cached_property
    def clouds(self) -> list[Cloud]:
        return [Cloud.of(scene.places, scene.colors) for scene in self.scenes]

    @cached_property
    def silhouettes(self) -> NDArray[np.bool_]:
        """Those of each scene (N, VIEWS, pixels)."""
        return np.stack([silhouettes(cloud) for cloud in self.clouds])

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """Those of each scene (N, D)."""
        return np.stack([features(cloud) for cloud in self.clouds])


def score(run: Run, shard: Shard) -> None:
    """Measure each asset of a shard against the same true instances of its prompt.

    Records hold the numbers of `FAILED`, which are those of a failed asset. Beside an asset, `truth.json` has its
    details, and `truth.safetensors` the features of the asset, if it did not fail, and of the instances.
    """
    assert run.config.truth is not None
    by, count = code(run, "truth", shard), run.config.truth.instances
    records, before = [], iter(read_manifest(run, "mesh", shard))
    with progress(f"truth {shard.name}", len(shard.prompts) * len(shard.seeds)) as advance:
        for prompt in shard.prompts:
            instances: Instances | None = None
            for seed in shard.seeds:
                failed = next(before)["reason"]
                folder = run.layout.asset(shard.key(prompt.id, seed))
                mesh, path = folder / "mesh.glb", folder / "truth.json"
                source = None if failed else sha256(mesh)
                expected = fingerprint(by, source, prompt.text, [run.config.seed, seed], count)
                done = read_fitting(path, expected)
                if done is None or not path.with_suffix(".safetensors").is_file():
                    instances = instances or Instances.drawn(run.config.seed, prompt, count)
                    described, reason = {"instances": instances.features}, failed
                    record, details = FAILED, dict[str, Any]()
                    if not failed:
                        rng = np.random.default_rng(seed_of(run.config.seed, prompt.id, seed, "points"))
                        try:
                            cloud = Cloud.of(*sample(glb.load(mesh), POINTS, rng))
                        except BadMesh as error:
                            reason = str(error)
                        else:
                            record, details = measure(cloud, instances)
                            described["features"] = features(cloud)
                    with atomic(path.with_suffix(".safetensors")) as temporary:
                        save_file(described, temporary)
                    done = {"fingerprint": expected, "record": {"reason": reason, **record}, "details": details}
                    write_json(path, done | {"protocol_version": PROTOCOL_VERSION})
                records.append(asset_record(prompt, seed, **done["record"]))
                advance()
    write_manifest(run, "truth", shard, records, origin("cpu"))


def measure(asset: Cloud, instances: Instances) -> tuple[Numbers, dict[str, Any]]:
    """An asset's numbers, and the details behind them: the nearest instance's number, and of each view the overlap.

    The nearest instance is that of the least distance in place and color, `Comparison.both`. Silhouettes are compared
    with those of all instances.
    """
    comparisons = [Comparison.of(asset, cloud) for cloud in instances.clouds]
    nearest = int(np.argmin([comparison.both for comparison in comparisons]))
    found = comparisons[nearest]
    best = overlaps(silhouettes(asset), instances.silhouettes).max(axis=0)
    there = present(asset, instances.scenes[nearest], found.truth.matched)
    numbers = {
        "chamfer": found.chamfer,
        "color_error": found.color_error,
        "silhouette": float((best >= MET).mean()),
        "parts": float(np.mean(there)),
        "f_score": found.f_score,
        "colored_f_score": found.colored_f_score,
    }
    return numbers, {"nearest": nearest, "overlaps": best.tolist(), "there": there}


def present(asset: Cloud, scene: SurfacePoints, matched: NDArray[np.bool_]) -> list[bool]:
    """Whether each solid of a true scene is there, and if there are several, whether they are arranged as in the scene.

    A solid is there if enough of its points are `matched` (P,) where it is in the scene, or if the asset as a whole is
    like this solid alone. The arrangement is there if each solid is where it is in the scene.
    """
    of_solid = [scene.solids == solid for solid in np.unique(scene.solids)]
    in_place = [bool(matched[which].mean() >= THERE) for which in of_solid]
    if len(of_solid) == 1:
        return in_place
    alone = [Cloud.of(scene.places[which], scene.colors[which]) for which in of_solid]
    shown = [Comparison.of(asset, cloud).colored_f_score >= THERE for cloud in alone]
    return [*(here or instead for here, instead in zip(in_place, shown, strict=True)), all(in_place)]
