"""Extract a density field's surface as a closed triangle mesh with vertex colors."""

from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.measure import marching_cubes
from torch import Tensor
from trimesh.triangles import area

from jsdpipe.base.progress import Advance, unseen
from jsdpipe.mesh.surface import Surface
from jsdpipe.mesh.topology import component_labels

CHUNK = 1 << 18
EMPTY = 1e-5


class Field(Protocol):
    """Density (N,) and albedo (N, 3) in [0, 1] at points (N, 3) of the cube [-bound, bound]^3."""

    @property
    def bound(self) -> float: ...
    def density(self, points: Tensor) -> Tensor: ...
    def albedo(self, points: Tensor) -> Tensor: ...


class EmptyField(Exception):
    """The field has no surface; the message says why."""


def extract(
    field: Field,
    resolution: int,
    threshold: float | Literal["auto"],
    min_component: float = 0.0,
    advance: Advance = unseen,
) -> tuple[Surface, float]:
    """Extract the isosurface by marching cubes; returns it, closed and oriented outwards, and the threshold.

    Args:
        resolution: sample points per side of the cube; outside the cube the density is zero.
        threshold: a density, or "auto" for the mean of all densities above 1e-5 (threestudio's rule).
        min_component: drop connected components with less than this share of the largest one's area.
        advance: called `resolution` times.

    Raises:
        EmptyField: if the density is not finite or nowhere above the threshold.
    """
    density = _sample(field, resolution, advance)
    if not np.isfinite(density).all():
        raise EmptyField("empty field: its density is not finite")
    highest = float(density.max())
    if threshold == "auto":
        if highest <= EMPTY:
            raise EmptyField(f"empty field: the highest density is {highest:.3g}, none is above {EMPTY:g}")
        threshold = float(density[density > EMPTY].mean(dtype=np.float64))
    if highest <= threshold:
        raise EmptyField(f"empty field: the highest density is {highest:.3g}, the threshold {threshold:.3g}")
    # Lorensen's cubes agree on the triangulation of each shared face, so the mesh is closed; scikit-image's Lewiner
    # leaves holes where densities equal the threshold.
    vertices, faces, _, _ = marching_cubes(
        np.pad(density, 1), threshold, method="lorensen", gradient_direction="ascent"
    )
    vertices = (vertices - 1) * (2 * field.bound / (resolution - 1)) - field.bound
    vertices, faces = _without_small_components(vertices, faces, min_component)
    return Surface.colored(vertices, faces, sample_colors(field, vertices)), threshold


def _sample(field: Field, resolution: int, advance: Advance) -> NDArray[np.float32]:
    steps = torch.linspace(-field.bound, field.bound, resolution)
    density = np.empty((resolution, resolution, resolution), np.float32)
    for slab, x in zip(density, steps, strict=True):
        slab[:] = field.density(torch.cartesian_prod(x[None], steps, steps)).reshape(slab.shape).numpy()
        advance()
    return density


def _without_small_components(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], min_share: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    labels = component_labels(faces)
    areas = np.bincount(labels, weights=area(vertices[faces]))
    keep = (areas >= min_share * areas.max())[labels]
    used, kept = np.unique(faces[keep], return_inverse=True)
    return vertices[used], kept.reshape(-1, 3)


def sample_colors(field: Field, points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The field's albedo (N, 3), uint8, at points (N, 3), which are clamped to the cube."""
    inside = torch.from_numpy(np.clip(points, -field.bound, field.bound)).float()
    albedo = torch.cat([field.albedo(chunk) for chunk in inside.split(CHUNK)])
    return (albedo.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
