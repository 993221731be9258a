"""Small voxel scenes for tests."""

import torch

from jsdpipe.config.recipes import load_recipe
from jsdpipe.scene.voxels.scene import VoxelBatch

SETTINGS = load_recipe("miniature/jsd").field.model_copy(
    update={"resolution": 9, "bound": 1.2, "density_scale": 5.0, "blob_scale": 2.0, "blob_radius": 0.5}
)


def voxel_scene(seed=0, spread=2.0):
    """A scene of random voxels."""
    batch = VoxelBatch(SETTINGS, 1)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in batch.parameters():
            parameter.normal_(0, spread, generator=draw)
    return batch.scenes()[0]
