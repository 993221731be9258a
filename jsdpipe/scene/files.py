"""Scenes on disk: one asset's parameters as safetensors, in half precision, with what they mean as metadata."""

import json
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import atomic
from jsdpipe.scene.assets import Asset, restore
from jsdpipe.scene.settings import SceneField

VERSION = "1"
SETTINGS: TypeAdapter[SceneField] = TypeAdapter(SceneField)


class Field:
    """One asset's field, frozen: density and albedo at points of the world, in the ball of radius `bound`."""

    def __init__(self, asset: Asset) -> None:
        self.asset = asset
        self.bound = asset.settings.bound

    @torch.no_grad()
    def density(self, points: Tensor) -> Tensor:
        """Density (N,) in 1 / world unit at points (N, 3); 0 outside of the ball."""
        inside = points.norm(dim=-1) < self.bound  # about half of a cube's points, and a hash grid is slow
        found = self.asset.density_at(points[inside])
        density = found.new_zeros(len(points))
        density[inside] = found
        return density

    @torch.no_grad()
    def albedo(self, points: Tensor) -> Tensor:
        """Albedo (N, 3) in [0, 1] at points (N, 3)."""
        return self.asset.albedo_at(points)


def save(path: Path, asset: Asset) -> None:
    """Write one asset, in half precision."""
    tensors = {name: tensor.detach().half().cpu().contiguous() for name, tensor in asset.tensors().items()}
    # One key, because safetensors writes several in any order.
    metadata = {"scene": json.dumps({"version": VERSION, "field": asset.settings.model_dump()})}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata)


def load(path: Path) -> Field:
    """Read a scene; `UserError` if it is missing, broken, or of another version."""
    mend = "rerun the stage `generate`"
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {}).get("scene", "{}"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118, a file is no dict
        if described.get("version") == VERSION:
            return Field(restore(SETTINGS.validate_json(json.dumps(described["field"])), tensors))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or 'no such file'}); {mend}") from None
    except (ValueError, SafetensorError):
        raise UserError(f"{path}: cannot be read as a scene; {mend}") from None
    raise UserError(f"{path}: a scene of version {described.get('version')}, not {VERSION}; {mend}")
