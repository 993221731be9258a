"""A small run whose assets are balls that a test can reason about; one failed in generation, one has no surface."""

from pathlib import Path
from typing import Any

import torch

from jsdpipe.config.run_config import resolve
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.scene.files import save
from jsdpipe.scene.voxels.scene import VoxelScene
from jsdpipe.scene.voxels.settings import VoxelField

SETTINGS = VoxelField(
    kind="voxels", resolution=16, bound=1.0, density_scale=1.0, blob_scale=40.0, blob_radius=0.5,
    density_lr=0.1, albedo_lr=0.1, background_lr=0.1,
)  # fmt: skip
THRESHOLD = 10.0
RADIUS = 0.375  # where 40 (1 - |x| / 0.5) is the threshold
PROMPTS = ("a red ball", "a blue ball on a wooden floor")
FAILED = ("a red ball", 2, "not finite at step 7")
TWO_COLORED = ("a red ball", 1)
EMPTY = ("a blue ball on a wooden floor", 1)

RENDER = {
    "size": 32,
    "quality": {"subdivision": 0, "radius": 2.2, "fovy_deg": [60.0, 30.0]},
    "alignment": {"subdivision": 0, "radius": 2.4, "fovy_deg": 60.0},
    "diversity": {"views": 5, "elevation_deg": 15.0, "distance": 1.5, "fovy_deg": 70.0},
}


def ball(color: tuple[float, float, float], empty: bool = False, white_back: bool = False) -> VoxelScene:
    """A ball of one color around the origin, or a field without density; perhaps white where x < 0."""
    logit = torch.tensor(color).clamp(0.01, 0.99).logit()
    density = torch.full((1, 16, 16, 16), -100.0 if empty else 0.0)
    albedo = logit[:, None, None, None].repeat(1, 16, 16, 16)
    if white_back:
        albedo[..., :8] = torch.tensor(0.99).logit()
    return VoxelScene(density, albedo, torch.zeros(3), SETTINGS)


def make(folder: Path, **sections: Any) -> tuple[Run, Shard]:
    """Write the run with its scenes and the manifest of `generate`; one shard, seeds 0, 1, 2.

    `sections` take the place of those of the configuration.
    """
    folder.mkdir(parents=True)
    (folder / "prompts.txt").write_text("\n".join(PROMPTS) + "\n")
    config = {
        "run": "balls",
        "seeds": [0, 1, 2],
        "sets": {"single": {"file": str(folder / "prompts.txt")}},
        "methods": {"sds": {"recipe": "miniature/sds"}},
        "prior": {"model": "miniature"},
        "generation": {"shard_assets": 6, "batch_assets": 2},
        "mesh": {"resolution": 24, "threshold": THRESHOLD},
        "render": RENDER,
        "quality": {"reward": {"kind": "miniature-clip"}},
        "alignment": {
            "captioner": {"kind": "miniature"},
            "judge": {"kind": "attributes"},
            "similarity": {"kind": "miniature-clip"},
        },
        "diversity": {"classifier": {"kind": "miniature"}, "features": {"kind": "miniature"}},
        "report": {"title": "balls", "turntable_views": 4},
        **sections,
    }
    run = Run.of(resolve(config), folder)
    run.save()
    (shard,) = run.shards()
    records = []
    for prompt, seed in shard.assets():
        reason = FAILED[2] if (prompt.text, seed) == FAILED[:2] else None
        records.append(asset_record(prompt, seed, reason))
        if reason is None:
            color = (1.0, 0.0, 0.0) if "red" in prompt.text else (0.0, 0.0, 1.0)
            path = run.layout.asset(shard.key(prompt.id, seed)) / "scene.safetensors"
            save(path, ball(color, (prompt.text, seed) == EMPTY, white_back=(prompt.text, seed) == TWO_COLORED))
    write_manifest(run, "generate", shard, records, {})
    return run, shard
