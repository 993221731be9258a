"""Scenes on disk: one asset's parameters as safetensors, in half precision, with what they mean as metadata."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from jsdpipe.errors import UserError
from jsdpipe.files import atomic
from jsdpipe.recipes.scene import VoxelField
from jsdpipe.scene.voxels import Volume

VERSION = "1"
LATTICES = ("density", "albedo", "background")


class Field:
    """One asset's field, frozen: density and albedo at points of the world, in the ball of radius `bound`."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.bound = volume.settings.bound

    @torch.no_grad()
    def density(self, points: Tensor) -> Tensor:
        """Density (N,) in 1 / world unit at points (N, 3); 0 outside of the ball."""
        return self.volume.density_at(points)

    @torch.no_grad()
    def albedo(self, points: Tensor) -> Tensor:
        """Albedo (N, 3) in [0, 1] at points (N, 3)."""
        return self.volume.albedo_at(points)


def save(path: Path, volume: Volume) -> None:
    """Write one asset, in half precision."""
    tensors = {name: getattr(volume, name).detach().half().cpu().contiguous() for name in LATTICES}
    # One key, because safetensors writes several in any order.
    metadata = {"scene": json.dumps({"version": VERSION, "field": volume.settings.model_dump()})}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata)


def load(path: Path) -> Field:
    """Read a scene; `UserError` if it is missing, broken, or of another version."""
    mend = "rerun the stage `generate`"
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {}).get("scene", "{}"))
            tensors = {name: file.get_tensor(name).float() for name in LATTICES}
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as a scene ({error}); {mend}") from None
    if described.get("version") != VERSION:
        raise UserError(f"{path}: a scene of version {described.get('version')}, not {VERSION}; {mend}")
    return Field(Volume(**tensors, settings=VoxelField.model_validate(described["field"])))
