"""Volume rendering of hash-grid scenes by automatic differentiation, of only the samples that matter."""

from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe.base.device import CHUNK
from jsdpipe.scene.hash_grid.field import HashField
from jsdpipe.scene.hash_grid.occupancy import march
from jsdpipe.scene.hash_grid.shading import Shading, shade
from jsdpipe.scene.ray_samples import Samples, accumulate, alpha, transmittance
from jsdpipe.scene.rendering import Rendering, intersect_ball

# Samples with a lower alpha, or that less light reaches, are skipped (the public code's numbers); the first is lowered
# while the scene is nearly empty.
MIN_ALPHA, MIN_TRANSMITTANCE = 0.01, 1e-4


@dataclass(frozen=True)
class SampledRendering(Rendering):
    """A rendering with its M samples: their weights (M,) in the color and, if asked for, unit normals (M, 3)."""

    directions: Tensor  # (N, 3), of the rays
    samples: Samples
    weights: Tensor
    normals: Tensor | None


def render(
    field: HashField,
    origins: Tensor,
    directions: Tensor,
    samples: int,
    generator: torch.Generator | None = None,
    shading: Shading | None = None,
    colors: Tensor | None = None,
    *,
    normals: bool = False,
) -> SampledRendering:
    """Render rays (N, 3) with unit directions through the ball of one scene.

    Their steps are `field.ray_step(samples)` long; with a generator they begin at a random place in each ray's first.
    The rays are those of V views, N / V each, with a `shading` (without one, albedo) and with `colors` (V, 3) as
    backgrounds (without them, the scene's).
    """
    step = field.ray_step(samples)
    near, far = intersect_ball(origins, directions, field.bound)
    start = torch.zeros(len(near)) if generator is None else torch.rand(len(near), generator=generator)
    first = near + step * start.to(near.device)
    kept = _visible(field, origins, directions, first, far, step, rays_per_chunk(samples, near.device))
    points = origins[kept.ray] + directions[kept.ray] * kept.t[:, None]
    mode = shading.mode if shading else "albedo"
    density, color, found = field.surface(points, normals=normals or mode != "albedo")
    if shading and found is not None and field.settings.material:
        lights = _per_ray(shading.lights, len(near))[kept.ray]
        color = shade(field.settings.material, mode, color, found, points, lights)
    weights = transmittance(density, kept) * alpha(density, kept)
    values = torch.cat((color, torch.ones_like(color[:, :1]), kept.t[:, None]), dim=1)
    sums = accumulate(weights[:, None] * values, kept)
    opacity = sums[:, 3]
    behind = field.background(directions)
    if colors is not None:
        behind = 0 * behind + _per_ray(colors.to(near.device), len(near))  # see `shade` for the 0
    return SampledRendering(
        rgb=sums[:, :3] + (1 - opacity[:, None]) * behind,
        opacity=opacity,
        depth=(sums[:, 4] / opacity.clamp(min=1e-6)).detach(),
        directions=directions,
        samples=kept,
        weights=weights,
        normals=found,
    )


def rays_per_chunk(samples: int, device: torch.device) -> int:
    """How many rays with so many samples each are worked on at once."""
    return max(1, CHUNK[device.type] // samples)


@torch.no_grad()
def _visible(
    field: HashField, origins: Tensor, directions: Tensor, first: Tensor, far: Tensor, step: float, chunk: int
) -> Samples:
    """The samples in occupied cells that light reaches and that absorb some of it."""
    min_alpha = min(MIN_ALPHA, float(field.occupancy.optical_depth.mean()))
    ray, t = [], []
    for begin in range(0, len(first), chunk):
        here = slice(begin, begin + chunk)
        found = march(origins[here], directions[here], first[here], far[here], step, field.occupancy)
        density = field.density_anywhere(origins[here][found.ray] + directions[here][found.ray] * found.t[:, None])
        reached = transmittance(density, found) >= MIN_TRANSMITTANCE
        found = found[reached & (alpha(density, found) >= min_alpha)]
        ray.append(found.ray + begin)
        t.append(found.t)
    return Samples(torch.cat(ray), torch.cat(t), len(first), step)


def _per_ray(of_views: Tensor, rays: int) -> Tensor:
    """Each view's row (V, 3), repeated for each of its rays (rays, 3)."""
    return of_views.repeat_interleave(rays // len(of_views), dim=0)
