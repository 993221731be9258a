"""Volume rendering of hash-grid scenes by automatic differentiation, of only the samples that matter.

How many those are is known on the device alone, so a rendering asks for counts (`counting`).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from jsdpipe.base.device import samples_at_once, to_device
from jsdpipe.scene.hash_grid.counting import Counting, done, side_by_side
from jsdpipe.scene.hash_grid.field import HashField
from jsdpipe.scene.hash_grid.occupancy import march
from jsdpipe.scene.hash_grid.shading import Shading, shade
from jsdpipe.scene.ray_samples import Samples, accumulate, alpha, places, transmittance
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


def render(*arguments: Any, **more: Any) -> SampledRendering:
    """`rendering` of these arguments, alone."""
    return done(rendering(*arguments, **more))


def rendering(
    field: HashField,
    origins: Tensor,
    directions: Tensor,
    samples: int,
    generator: torch.Generator | None = None,
    shading: Shading | None = None,
    colors: Tensor | None = None,
    *,
    normals: bool = False,
) -> Counting[SampledRendering]:
    """Render rays (N, 3) with unit directions through the ball of one scene.

    Their steps are `field.ray_step(samples)` long; with a generator they begin at a random place in each ray's first.
    The rays are those of V views, N / V each, with a `shading` (without one, albedo) and with `colors` (V, 3) as
    backgrounds (without them, the scene's).
    """
    step = field.ray_step(samples)
    near, far = intersect_ball(origins, directions, field.bound)
    first = near
    if generator is not None:
        first = near + step * to_device(torch.rand(len(near), generator=generator), near.device)
    kept = yield from _visible(field, origins, directions, first, far, step, rays_per_chunk(samples, near.device))
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
        behind = 0 * behind + _per_ray(to_device(colors, near.device), len(near))  # see `shade` for the 0
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
    return max(1, samples_at_once(device) // samples)


@torch.no_grad()
def _visible(
    field: HashField, origins: Tensor, directions: Tensor, first: Tensor, far: Tensor, step: float, chunk: int
) -> Counting[Samples]:
    """The samples in occupied cells that light reaches and that absorb some of it."""
    min_alpha = field.occupancy.optical_depth.mean().clamp(max=MIN_ALPHA)
    of_rays = (x.split(chunk) for x in (origins, directions, first, far))
    chunks: list[tuple[Tensor, Tensor, Tensor, Tensor]] = list(zip(*of_rays, strict=True))
    found = yield from side_by_side([march(*rays, step, field.occupancy) for rays in chunks])
    visible = []
    for (start, along, *_), samples in zip(chunks, found, strict=True):
        density = field.density_anywhere(start[samples.ray] + along[samples.ray] * samples.t[:, None])
        reached = transmittance(density, samples) >= MIN_TRANSMITTANCE
        visible.append(reached & (alpha(density, samples) >= min_alpha))
    counts = yield [mask.count_nonzero() for mask in visible]
    kept = [samples[places(*of)] for samples, *of in zip(found, visible, counts, strict=True)]
    ray = [samples.ray + begin for samples, begin in zip(kept, range(0, len(first), chunk), strict=True)]
    return Samples(torch.cat(ray), torch.cat([samples.t for samples in kept]), len(first), step)


def _per_ray(of_views: Tensor, rays: int) -> Tensor:
    """Each view's row (V, 3), repeated for each of its rays (rays, 3)."""
    return of_views.repeat_interleave(rays // len(of_views), dim=0)
