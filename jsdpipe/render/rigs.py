"""The protocols' cameras, and how each protocol centers and scales a mesh."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from torch import Tensor

from jsdpipe.base.cameras import look_at_origin, orbit
from jsdpipe.config.run_config import AlignmentRig, QualityRig, RingRig
from jsdpipe.mesh.surface import Surface


@dataclass(frozen=True)
class Cameras:
    """N cameras: camera-to-world matrices (N, 4, 4) and vertical fields of view (N,) in radians."""

    camera_to_world: Tensor
    fovy: Tensor


def icosphere(subdivision: int) -> tuple[NDArray[np.float64], list[NDArray[np.int64]]]:
    """The unit icosphere's vertices (V, 3) in trimesh's order, and the indices of each one's 5 or 6 neighbors."""
    sphere = trimesh.creation.icosphere(subdivisions=subdivision)
    return np.asarray(sphere.vertices), [np.sort(neighbors) for neighbors in sphere.vertex_neighbors]


def quality_cameras(rig: QualityRig) -> Cameras:
    """T3Bench's quality views (arXiv 2310.02977): from every vertex, at every field of view in turn."""
    vertices = torch.from_numpy(icosphere(rig.subdivision)[0])
    fovys = torch.tensor(rig.fovy_deg, dtype=torch.float64).deg2rad()
    poses = look_at_origin(rig.radius * vertices)
    return Cameras(poses.repeat_interleave(len(fovys), dim=0), fovys.repeat(len(vertices)))


def alignment_cameras(rig: AlignmentRig) -> Cameras:
    """T3Bench's alignment views; its code applies the radius of 2.2 twice, so `rig.radius` is 4.84 there."""
    vertices = torch.from_numpy(icosphere(rig.subdivision)[0])
    fovy = math.radians(rig.fovy_deg)
    return Cameras(look_at_origin(rig.radius * vertices), torch.full((len(vertices),), fovy, dtype=torch.float64))


def ring_cameras(rig: RingRig) -> Cameras:
    """DiverseDream's views (arXiv 2312.02192): evenly spaced on a ring at one elevation, from azimuth 0."""
    azimuth = torch.arange(rig.views, dtype=torch.float64) * (2 * math.pi / rig.views)
    position = orbit(azimuth, torch.full_like(azimuth, math.radians(rig.elevation_deg)), torch.tensor(rig.distance))
    return Cameras(look_at_origin(position), torch.full_like(azimuth, math.radians(rig.fovy_deg)))


def place_for_t3bench(surface: Surface) -> Surface:
    """Place as T3Bench does: the mean of the vertices at the origin, the largest absolute coordinate 1."""
    vertices = surface.vertices - surface.vertices.mean(axis=0)
    return surface.at(vertices / np.abs(vertices).max())


def place_for_ring(surface: Surface, rig: RingRig) -> Surface:
    """Place so that the bounding sphere around the center of the bounding box exactly fills the field of view.

    DiverseDream renders fields in their own frame, which a mesh lacks. So a mesh is made as large as fits into every
    view: the sphere's radius is distance * sin(fovy / 2).
    """
    vertices = surface.vertices - (surface.vertices.min(axis=0) + surface.vertices.max(axis=0)) / 2
    radius = rig.distance * math.sin(math.radians(rig.fovy_deg) / 2)
    return surface.at(vertices * (radius / np.linalg.norm(vertices, axis=1).max()))
