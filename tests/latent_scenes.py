"""Small scenes of latent voxels for tests."""

from typing import Any

import torch

from jsdpipe.scene.latent_voxels.scene import LatentVoxelBatch, LatentVoxelScene
from jsdpipe.scene.latent_voxels.settings import LatentVoxelField

FIELD: dict[str, Any] = {
    "kind": "latent_voxels",
    "resolution": 8,
    "bound": 1.0,
    "density_bias": -1.0,
    "background_resolution": 4,
    "grid_lr": 0.05,
    "background_lr": 0.0001,
}
SETTINGS = LatentVoxelField(**FIELD)
OFF = {"share": None} | dict.fromkeys(("sparsity", "opaque", "orientation", "convexity", "z_variance"), 0.0)


def latent_scene(seed: int = 0, spread: float = 2.0) -> LatentVoxelScene:
    """A scene of random voxels."""
    draw = torch.Generator().manual_seed(seed)
    batch = LatentVoxelBatch(SETTINGS, [draw])
    with torch.no_grad():
        for parameter in batch.parameters():
            parameter.normal_(0, spread, generator=draw)
        batch.density_scale.fill_(0.4)
    return batch.scenes()[0]
