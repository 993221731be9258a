"""The kinds of scene, behind one set of names."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from jsdpipe.base.device import CHUNK
from jsdpipe.scene.hash_grid.field import HashField, HashFields
from jsdpipe.scene.hash_grid.rendering import render_hash
from jsdpipe.scene.hash_grid.settings import HashGridField
from jsdpipe.scene.settings import SceneField
from jsdpipe.scene.voxels.rendering import Rendering, render
from jsdpipe.scene.voxels.volume import Volume, Voxels

Asset = Volume | HashField
Assets = Voxels | HashFields


def build(settings: SceneField, generators: Sequence[torch.Generator]) -> Assets:
    """The parameters of a batch of assets, of as many as there are generators of their first draws."""
    if isinstance(settings, HashGridField):
        return HashFields(settings, generators)
    return Voxels(len(generators), settings)


def restore(settings: SceneField, tensors: Mapping[str, Tensor]) -> Asset:
    """An asset from its settings and `tensors()`; `ValueError` if they don't belong together."""
    try:
        if isinstance(settings, HashGridField):
            field = HashField(settings).requires_grad_(False)
            field.load_state_dict(tensors)
            return field
        return Volume(**tensors, settings=settings)
    except (RuntimeError, TypeError) as error:  # of other names or shapes
        raise ValueError(" ".join(str(error).split())) from None


@torch.no_grad()
def evaluate(asset: Asset, origins: Tensor, directions: Tensor, samples: int) -> Rendering:
    """Render rays (N, 3) of unit directions as evaluations see an asset: its albedo before its background."""
    if isinstance(asset, Volume):
        return render(asset, origins, directions, samples)
    chunk = max(1, CHUNK[origins.device.type] // samples)
    rays = zip(origins.split(chunk), directions.split(chunk), strict=True)
    parts = [render_hash(asset, *some, samples) for some in rays]
    return Rendering(*(torch.cat([getattr(part, name) for part in parts]) for name in ("rgb", "opacity", "depth")))
