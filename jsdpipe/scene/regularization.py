"""The weighted sum of the loss terms beside the objective."""

from collections.abc import Callable

from torch import Tensor

from jsdpipe.base.schedules import value_at
from jsdpipe.scene.assets import Asset
from jsdpipe.scene.hash_grid.rendering import SampledRendering
from jsdpipe.scene.regularizers import (
    convexity,
    normal_picture,
    opaque,
    orientation,
    sparsity,
    total_variation,
    z_variance,
)
from jsdpipe.scene.settings import Regularisers
from jsdpipe.scene.voxels.rendering import Rendering
from jsdpipe.scene.voxels.volume import Volume


def regularise(weights: Regularisers, step: int, rendering: Rendering, asset: Asset, views: int = 1) -> Tensor:
    """The weighted sum of one asset's terms at a step, of a rendering of square views; weight 0 costs nothing."""
    terms: dict[str, Callable[[], Tensor]] = {
        "sparsity": lambda: sparsity(rendering.opacity),
        "opaque": lambda: opaque(rendering.opacity),
    }
    if isinstance(asset, Volume):
        terms["total_variation"] = lambda: total_variation(asset.density) + total_variation(asset.albedo)
    if isinstance(rendering, SampledRendering):
        terms |= _terms_of_samples(rendering, views)
    total = rendering.opacity.new_zeros(())
    for name, term in terms.items():
        weight = value_at(getattr(weights, name), step)
        if weight:
            total = total + weight * term()
    return total


def needs_normals(weights: Regularisers, step: int) -> bool:
    """Whether a term with a weight at this step looks at normals."""
    return any(value_at(weight, step) for weight in (weights.orientation, weights.convexity))


def _terms_of_samples(r: SampledRendering, views: int) -> dict[str, Callable[[], Tensor]]:
    size = round((len(r.opacity) / views) ** 0.5)
    terms: dict[str, Callable[[], Tensor]] = {"z_variance": lambda: z_variance(r.weights, r.samples, r.opacity)}
    normals = r.normals
    if normals is not None:
        terms["orientation"] = lambda: orientation(r.weights, normals, r.directions[r.samples.ray], r.opacity)
        terms["convexity"] = lambda: convexity(
            normal_picture(r.weights, normals, r.samples, r.opacity).view(views, size, size, 3)
        )
    return terms
