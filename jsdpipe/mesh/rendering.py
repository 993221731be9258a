"""Flat pictures of a mesh: vertex colours without light, on black, by ray casting (Embree)."""

from collections.abc import Iterator

import numpy as np
import torch
import trimesh
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray
from torch import Tensor

from jsdpipe.cameras import rays
from jsdpipe.mesh.coloured import colours_of

RAYS_A_BATCH = 1 << 18


def render_each(
    mesh: trimesh.Trimesh, camera_to_world: Tensor, fovy: Tensor, size: int, supersample: int = 1
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Yield each camera's picture (size, size, 3) and its coverage (size, size), the share of rays that hit.

    `camera_to_world` (N, 4, 4); `fovy` (N,) in radians. Colours are interpolated over the triangle; a pixel is the
    mean of its supersample^2 rays, misses black. Both sides of a triangle are seen.
    """
    scene = EmbreeScene()
    TriangleMesh(scene=scene, vertices=mesh.vertices.astype(np.float32), indices=mesh.faces.astype(np.int32))
    colours = colours_of(mesh).astype(np.float32)[mesh.faces]  # (F, 3 corners, 3)
    fine = size * supersample
    batch = max(1, RAYS_A_BATCH // fine**2)
    for cameras, fovys in zip(camera_to_world.float().split(batch), fovy.float().split(batch), strict=True):
        origins, directions = (x.reshape(-1, 3).numpy() for x in rays(cameras, fovys, fine))
        hit = scene.run(np.ascontiguousarray(origins), directions, output=True)
        seen = np.flatnonzero(hit["primID"] >= 0)
        u, v = hit["u"][seen, None], hit["v"][seen, None]
        corners = colours[hit["primID"][seen]]
        samples = np.zeros((len(directions), 4), np.float32)  # colour, hit
        samples[seen, :3] = (1 - u - v) * corners[:, 0] + u * corners[:, 1] + v * corners[:, 2]
        samples[seen, 3] = 1
        pixels = samples.reshape(len(cameras), size, supersample, size, supersample, 4).mean(axis=(2, 4))
        yield from zip(pixels[..., :3].round().clip(0, 255).astype(np.uint8), pixels[..., 3], strict=True)


def render(
    mesh: trimesh.Trimesh, camera_to_world: Tensor, fovy: Tensor, size: int, supersample: int = 1
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """All pictures (N, size, size, 3) of `render_each` and their coverage (N, size, size) at once."""
    with torch.no_grad():
        pictures, coverage = zip(*render_each(mesh, camera_to_world, fovy, size, supersample), strict=True)
    return np.stack(pictures), np.stack(coverage)
