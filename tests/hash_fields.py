"""Small hash-grid scenes, and rays through them, for tests."""

import math

import torch

from jsdpipe.config.recipes import load_recipe
from jsdpipe.scene.cameras import Viewpoints
from jsdpipe.scene.hash_grid.scene import HashGridScene
from jsdpipe.scene.hash_grid.settings import FieldHashGrid, SolidBackground

SETTINGS = load_recipe("published/jsdlr").field.model_copy(
    update={
        "bound": 1.2,
        "encoding": FieldHashGrid(levels=3, features=2, log2_table=9, base_resolution=4, growth=2.0),
        "hidden": 8,
        "blob_scale": 5.0,
        "background": SolidBackground(kind="solid", lr=0.001),
        "occupancy_resolution": 8,
    }
)


def hash_field(seed=0, spread=1.0, **settings):
    """A bumpy scene, its features uniform in +-spread; with spread 0 just the blob, gray."""
    draw = torch.Generator().manual_seed(seed)
    field = HashGridScene(SETTINGS.model_copy(update=settings), draw)
    with torch.no_grad():
        field.encoding.table.uniform_(-spread, spread, generator=draw)
    return field


def viewpoint(distance=2.6):
    """One camera."""
    azimuth, elevation, fovy = 0.7, 0.3, math.radians(50)
    return Viewpoints(*(torch.tensor([x]) for x in (azimuth, elevation, distance, fovy)))


def camera(size=6, distance=2.6):
    """Origins and directions of the pixels of a square view."""
    return viewpoint(distance).rays(size)
