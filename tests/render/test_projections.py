"""Pictures of meshes, by each renderer, against projections worked out by hand."""

from functools import partial

import numpy as np
import pictures
import pytest
import torch
import trimesh
from pictures import painted
from scipy.spatial import Delaunay

from jsdpipe.base.cameras import look_at_origin
from jsdpipe.mesh.surface import Surface

SIZE = 96
FOVY = np.pi / 4


@pytest.fixture(params=["embree", "moderngl"])
def render(request):
    return partial(pictures.render, kind=pictures.need(request.param))


def _cameras(*positions) -> torch.Tensor:
    return look_at_origin(torch.from_numpy(np.array(positions, dtype=np.float64)))


def _fovys(n: int, fovy: float = FOVY) -> torch.Tensor:
    return torch.full((n,), fovy, dtype=torch.float64)


def _pixel_plane(fovy: float = FOVY) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centers on the plane at distance 1, x to the right, y up."""
    steps = ((np.arange(SIZE) + 0.5) / SIZE * 2 - 1) * np.tan(fovy / 2)
    return np.meshgrid(steps, -steps)


def _edge(inside: np.ndarray) -> np.ndarray:
    """The pixels at most one pixel away from the border of a silhouette."""
    edge = np.zeros_like(inside)
    for axis in (0, 1):
        for step in (1, -1):
            edge |= np.roll(inside, step, axis) != inside
    return edge


def _together(a: Surface, b: Surface) -> Surface:
    faces = np.concatenate((a.faces, b.faces + len(a.vertices)))
    return Surface.colored(np.concatenate((a.vertices, b.vertices)), faces, np.concatenate((a.colors, b.colors)))


@pytest.mark.parametrize("position", [(3, 0, 0), (0, 0, 3), (-1, 2, -1.5)])
def test_silhouette_of_a_sphere(render, position):
    mesh = painted(trimesh.creation.icosphere(subdivisions=5, radius=0.8))
    rgb, coverage = render(mesh, _cameras(position), _fovys(1), SIZE)
    x, y = _pixel_plane()
    angle = np.arctan(np.hypot(x, y))
    inside = angle < np.arcsin(0.8 / np.linalg.norm(position))
    assert 0.1 < inside.mean() < 0.9
    assert (((coverage[0] > 0) == inside) | _edge(inside)).all()
    np.testing.assert_array_equal(rgb[0] == 255, np.repeat(coverage[0, ..., None] > 0, 3, axis=2))


@pytest.mark.parametrize("position", [(3, 0.4, 0.2), (0.1, 0.2, 2.9), (1.7, -1.7, 1.7)])
def test_silhouette_of_a_cube(render, position):
    box = trimesh.creation.box((1.0, 1.2, 0.7))
    _, coverage = render(painted(box), _cameras(position), _fovys(1), SIZE)
    # independent pose: T3Bench's columns, r = normalise(u x -v), u' = normalise(-v x r), and -r for the image's x
    back = np.array(position) / np.linalg.norm(position)
    up = np.array([0, 0, 1.0]) if abs(back[2]) < 0.99 else np.array([0, 1.0, 0])
    r = np.cross(up, -back)
    r /= np.linalg.norm(r)
    up = np.cross(-back, r)
    corners = box.vertices - np.array(position)
    depth = -corners @ back
    hull = Delaunay(np.stack((corners @ -r / depth, -(corners @ up) / -depth), axis=1))
    x, y = _pixel_plane()
    inside = hull.find_simplex(np.stack((x, y), axis=-1)) >= 0
    assert 0.05 < inside.mean() < 0.9
    assert (((coverage[0] > 0) == inside) | _edge(inside)).all()
    assert ((coverage[0] > 0) == inside).mean() > 0.995


def test_colors_are_interpolated_over_the_triangle(render):
    corners = np.array([[0, -1.0, -1], [0, 1, -1], [0, 0, 1]])  # in the plane x = 0, seen from +x: y to the right
    mesh = Surface.colored(corners, np.array([[0, 1, 2]]), np.uint8(np.eye(3) * 255))
    rgb, coverage = render(mesh, _cameras((2.5, 0, 0)), _fovys(1), SIZE)
    x, y = _pixel_plane()
    system = np.vstack((corners[:, 1:].T, np.ones(3)))
    weights = np.linalg.solve(system, np.stack((2.5 * x.ravel(), 2.5 * y.ravel(), np.ones(SIZE**2))))
    weights = weights.T.reshape(SIZE, SIZE, 3)
    inside = (weights > 1e-3).all(axis=-1)
    assert inside.mean() > 0.2
    assert coverage[0][inside].all()
    assert (rgb[0][~(weights > -1e-3).all(axis=-1)] == 0).all()
    assert np.abs(rgb[0][inside] - weights[inside] * 255).max() <= 1


def test_front_is_seen_from_azimuth_0_with_y_to_the_right_and_z_up(render):
    def patch(center, color):
        corners = np.array([[0, -0.2, -0.2], [0, 0.2, -0.2], [0, 0.2, 0.2], [0, -0.2, 0.2]]) + center
        return painted(trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False), color)

    mesh = _together(patch((0, 0.5, 0), (255, 0, 0)), patch((0, 0, 0.5), (0, 255, 0)))
    rgb, _ = render(mesh, _cameras((3, 0, 0)), _fovys(1), SIZE)
    red, green = (np.argwhere(rgb[0, ..., channel] > 0).mean(axis=0) for channel in (0, 1))
    middle, offset = (SIZE - 1) / 2, 0.5 / 3 / np.tan(FOVY / 2) * SIZE / 2
    np.testing.assert_allclose(red, (middle, middle + offset), atol=0.6)
    np.testing.assert_allclose(green, (middle - offset, middle), atol=0.6)


def test_nearest_surface_wins(render):
    near, far = (
        painted(trimesh.creation.box((0.1, 1, 1), trimesh.transformations.translation_matrix((x, 0, 0))), color)
        for x, color in ((0.5, (255, 0, 0)), (-0.5, (0, 0, 255)))
    )
    rgb, _ = render(_together(far, near), _cameras((3, 0, 0), (-3, 0, 0)), _fovys(2), 32)
    assert rgb[0, 16, 16].tolist() == [255, 0, 0]
    assert rgb[1, 16, 16].tolist() == [0, 0, 255]


def test_supersampling_is_the_mean_of_finer_pictures(render):
    mesh = trimesh.creation.icosphere(subdivisions=3)
    colors = np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 3)).astype(np.uint8)
    mesh = painted(mesh, colors)
    cameras = _cameras((3, 1, 0.5))
    fine, _ = render(mesh, cameras, _fovys(1), 96)
    coarse, _ = render(mesh, cameras, _fovys(1), 32, supersample=3)
    expected = fine[0].reshape(32, 3, 32, 3, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(coarse[0] - expected).max() <= 1


def test_a_picture_does_not_depend_on_the_others(render):
    mesh = painted(trimesh.creation.icosphere(subdivisions=2))
    cameras = _cameras(*np.random.default_rng(0).normal(size=(7, 3)) * 2 + 3)
    fovys = torch.linspace(0.3, 1.2, 7, dtype=torch.float64)
    together, _ = render(mesh, cameras, fovys, 64)
    for i in (0, 3, 6):
        alone, _ = render(mesh, cameras[i : i + 1], fovys[i : i + 1], 64)
        np.testing.assert_array_equal(together[i], alone[0])
