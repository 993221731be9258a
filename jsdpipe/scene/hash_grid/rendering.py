"""Volume rendering of hash-grid fields by automatic differentiation, of the samples that matter alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.base.device import CHUNK
from jsdpipe.scene.hash_grid.field import HashField
from jsdpipe.scene.hash_grid.marching import Samples, accumulate, alpha, march, transmittance
from jsdpipe.scene.hash_grid.material import Look, shade
from jsdpipe.scene.voxels.rendering import Rendering, ball

# what a sample must keep of the light that reaches it, at most, and what must reach it (the public code's)
LEAST_ALPHA, LEAST_TRANSMITTANCE = 0.01, 1e-4


@dataclass(frozen=True)
class SampledRendering(Rendering):
    """With its M samples: their weights (M,) in the colour, and unit normals (M, 3) if they were asked for."""

    directions: Tensor  # (N, 3), of the rays
    samples: Samples
    weights: Tensor
    normals: Tensor | None


def render_hash(
    field: HashField,
    origins: Tensor,
    directions: Tensor,
    samples: int,
    generator: torch.Generator | None = None,
    look: Look | None = None,
    colours: Tensor | None = None,
    *,
    normals: bool = False,
) -> SampledRendering:
    """Render rays (N, 3) of unit directions through the ball of one asset.

    The ball's diameter is cut into `samples` steps, as for voxels; with a generator a ray's steps begin at a random
    place in the first. Views of N / V rays each are shaded by the `look`, else plain albedo, before `colours` (V, 3),
    else the asset's background.
    """
    step = 2 * field.settings.bound / samples
    near, far = ball(origins, directions, field.settings.bound)
    start = torch.zeros(len(near)) if generator is None else torch.rand(len(near), generator=generator)
    first = near + step * start.to(near.device)
    kept = _visible(field, origins, directions, first, far, step, max(1, CHUNK[near.device.type] // samples))
    points = origins[kept.ray] + directions[kept.ray] * kept.t[:, None]
    shading = look.shading if look else "albedo"
    density, colour, found = field.with_normals_at(points, normals=normals or shading != "albedo")
    if look and found is not None:
        lights = _each_ray(look.lights, len(near))[kept.ray]
        colour = shade(field.settings.material, shading, colour, found, points, lights)
    weights = transmittance(density, kept) * alpha(density, kept)
    values = torch.cat((colour, torch.ones_like(colour[:, :1]), kept.t[:, None]), dim=1)
    sums = accumulate(weights[:, None] * values, kept)
    opacity = sums[:, 3]
    behind = field.background(directions) if colours is None else _each_ray(colours.to(near.device), len(near))
    return SampledRendering(
        rgb=sums[:, :3] + (1 - opacity[:, None]) * behind,
        opacity=opacity,
        depth=(sums[:, 4] / opacity.clamp(min=1e-6)).detach(),
        directions=directions,
        samples=kept,
        weights=weights,
        normals=found,
    )


@torch.no_grad()
def _visible(
    field: HashField, origins: Tensor, directions: Tensor, first: Tensor, far: Tensor, step: float, chunk: int
) -> Samples:
    """The samples in occupied cells that light reaches and that keep some of it."""
    least = min(LEAST_ALPHA, float(field.occupancy.thickness.mean()))
    ray, t = [], []
    for begin in range(0, len(first), chunk):
        here = slice(begin, begin + chunk)
        found = march(origins[here], directions[here], first[here], far[here], step, field.occupancy)
        density = field.density_at(origins[here][found.ray] + directions[here][found.ray] * found.t[:, None])
        reached = transmittance(density, found) >= LEAST_TRANSMITTANCE
        found = found[reached & (alpha(density, found) >= least)]
        ray.append(found.ray + begin)
        t.append(found.t)
    return Samples(torch.cat(ray), torch.cat(t), len(first), step)


def _each_ray(of_views: Tensor, rays: int) -> Tensor:
    """(rays, 3): each view's row (V, 3) for all of its rays."""
    return of_views.repeat_interleave(rays // len(of_views), dim=0)
