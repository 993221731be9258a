"""The surface of a density field as a closed triangle mesh with vertex colours."""

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
    """What is meshed: density (N,) and albedo (N, 3) in [0, 1] at points (N, 3) of the cube [-bound, bound]^3."""

    @property
    def bound(self) -> float: ...
    def density(self, points: Tensor) -> Tensor: ...
    def albedo(self, points: Tensor) -> Tensor: ...


class EmptyField(Exception):
    """The field has no surface; the text says why."""


def extract(
    field: Field,
    resolution: int,
    threshold: float | Literal["auto"],
    min_component: float = 0.0,
    advance: Advance = unseen,
) -> tuple[Surface, float]:
    """Mesh where the density on resolution^3 points crosses the threshold; return the mesh and the threshold.

    "auto" is the mean of the densities above 1e-5 (threestudio's rule). Outside the cube the density counts as zero,
    so the mesh is closed, and it is oriented outwards. Components with less than `min_component` of the largest one's
    area are dropped. Advances `resolution` steps. Raises `EmptyField`.
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
    # Lorensen's cubes share one triangulation of each face and so always close; scikit-image's Lewiner leaves holes
    # where densities equal the level.
    vertices, faces, _, _ = marching_cubes(
        np.pad(density, 1), threshold, method="lorensen", gradient_direction="ascent"
    )
    vertices = (vertices - 1) * (2 * field.bound / (resolution - 1)) - field.bound
    vertices, faces = _without_small_components(vertices, faces, min_component)
    return Surface.coloured(vertices, faces, colours(field, vertices)), threshold


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


def colours(field: Field, points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The field's albedo in 8 bits (N, 3) at points (N, 3), of those outside of the cube at its side."""
    inside = torch.from_numpy(np.clip(points, -field.bound, field.bound)).float()
    albedo = torch.cat([field.albedo(chunk) for chunk in inside.split(CHUNK)])
    return (albedo.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
