"""The protocols' cameras against a second derivation from the protocols' text, in NumPy."""

import numpy as np
import pytest
import trimesh
from pictures import painted, render

from jsdpipe.config.run_config import AlignmentRig, QualityRig, RingRig
from jsdpipe.mesh.surface import Surface
from jsdpipe.render import rigs

QUALITY = QualityRig(subdivision=2, radius=2.2, fovy_deg=[60.0, 45.0, 36.0, 30.0, 24.0])
ALIGNMENT = AlignmentRig(subdivision=0, radius=4.84, fovy_deg=60.0)
RING = RingRig(views=120, elevation_deg=15.0, distance=1.5, fovy_deg=70.0)


def t3bench_pose(v: np.ndarray) -> np.ndarray:
    """T3Bench's camera at v: f = v/|v|, r = normalise(u x -v), u' = normalise(-v x r), columns (-r, u', f), v."""
    f = v / np.linalg.norm(v)
    u = np.array([0.0, 1, 0]) if abs(f[2]) >= 0.99 else np.array([0.0, 0, 1])
    r = np.cross(u, -v)
    r /= np.linalg.norm(r)
    up = np.cross(-v, r)
    up /= np.linalg.norm(up)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = -r, up, f, v
    return pose


def subdivided_icosahedron(subdivisions: int) -> np.ndarray:
    """The vertices of a unit icosphere, by edges that are cut in half; in no particular order."""
    golden = (1 + 5**0.5) / 2
    points = [np.roll((0, a, b * golden), shift) for a in (-1, 1) for b in (-1, 1) for shift in range(3)]
    points = [p / np.linalg.norm(p) for p in map(np.array, points)]
    edge = 4 / np.sqrt(10 + 2 * 5**0.5)  # of the unit icosahedron
    for _ in range(subdivisions):
        middles = [a + b for i, a in enumerate(points) for b in points[:i] if np.linalg.norm(a - b) < edge * 1.25]
        points += [m / np.linalg.norm(m) for m in middles]
        edge /= 2
    return np.array(points)


@pytest.mark.parametrize(("subdivision", "count"), [(0, 12), (1, 42), (2, 162)])
def test_icosphere(subdivision, count):
    vertices, neighbors = rigs.icosphere(subdivision)
    assert vertices.shape == (count, 3)
    expected = subdivided_icosahedron(subdivision)
    distance = np.linalg.norm(vertices[:, None] - expected[None], axis=-1)
    assert len(expected) == count
    assert sorted(distance.argmin(axis=1)) == list(range(count))
    assert distance.min(axis=1).max() < 1e-9
    assert sorted(map(len, neighbors)) == [5] * 12 + [6] * (count - 12)
    for i, near in enumerate(neighbors):
        by_distance = np.linalg.norm(vertices - vertices[i], axis=1).argsort()[1 : len(near) + 1]
        assert sorted(by_distance) == list(near)


def test_icosphere_s_order_stays():
    np.testing.assert_array_equal(rigs.icosphere(2)[0], rigs.icosphere(2)[0])
    # scores are stored by vertex: a trimesh that numbers them otherwise must be noticed
    vertices, neighbors = rigs.icosphere(2)
    golden = (1 + 5**0.5) / 2
    np.testing.assert_allclose(vertices[0], np.array((-1, golden, 0)) / np.hypot(1, golden), atol=1e-9)
    assert [list(neighbors[i]) for i in (0, 161)] == [[42, 53, 69, 120, 137], [38, 41, 142, 144, 157, 159]]


def test_all_quality_poses():
    """All 162 x 5 poses, vertex major, against those of the protocol's text.

    T3Bench's columns (-r, u', f) are OpenGL's (right, up, back). f points from the origin to the camera: back. With
    lengths left out, r = u x -f, so -r = u x f: for u = z and a camera on +x that is +y, which such a viewer has to the
    right. u' = -f x r = f x (u x f) = u - (u.f) f: up. And (-r) x u' = f: right-handed, so the picture is not mirrored.
    """
    cameras = rigs.quality_cameras(QUALITY)
    fovys = np.pi / np.array([3, 4, 5, 6, 7.5])
    table = [(t3bench_pose(2.2 * v), fovy) for v in subdivided_icosahedron(2) for fovy in fovys]
    assert len(table) == len(cameras.fovy) == 810
    for pose in (pose for pose, _ in table):
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)  # a rotation: right-handed, not mirrored
    ours = np.column_stack((cameras.camera_to_world.reshape(810, 16), cameras.fovy))
    theirs = np.array([[*pose.ravel(), fovy] for pose, fovy in table])
    # as sets: each of ours is one of theirs, and each of theirs is taken once
    distance = np.abs(ours[:, None] - theirs[None]).max(axis=-1)
    assert distance.min(axis=1).max() < 1e-9
    assert sorted(distance.argmin(axis=1)) == list(range(810))
    # in trimesh's order of the vertices, each at every field of view
    vertices = trimesh.creation.icosphere(subdivisions=2, radius=2.2).vertices
    np.testing.assert_allclose(ours[:, [3, 7, 11]], np.repeat(vertices, 5, axis=0), atol=1e-9)
    np.testing.assert_allclose(ours[:, 16], np.tile(fovys, 162))
    # both poles are among them, where up is y
    assert int((cameras.camera_to_world[::5, 2, 2].abs() >= 0.99).sum()) == 2


def test_all_alignment_poses():
    cameras = rigs.alignment_cameras(ALIGNMENT)
    vertices, _ = rigs.icosphere(0)
    assert len(vertices) == len(cameras.fovy) == 12
    np.testing.assert_allclose(cameras.camera_to_world, [t3bench_pose(2.2 * 2.2 * v) for v in vertices], atol=1e-9)
    np.testing.assert_allclose(cameras.fovy, np.pi / 3)


def test_ring():
    cameras = rigs.ring_cameras(RING)
    flat, height = 1.5 * np.cos(np.pi / 12), 1.5 * np.sin(np.pi / 12)
    azimuth = np.arange(120) / 120 * 2 * np.pi
    positions = np.stack((flat * np.cos(azimuth), flat * np.sin(azimuth), np.full(120, height)), axis=1)
    np.testing.assert_allclose(cameras.camera_to_world, [t3bench_pose(v) for v in positions], atol=1e-7)
    np.testing.assert_allclose(cameras.fovy, np.radians(70))


def _mesh(seed: int) -> Surface:
    """A lopsided closed thing far from the origin."""
    draw = np.random.default_rng(seed)
    points = draw.normal(size=(30, 3)) * draw.uniform(0.05, 3, size=3) + draw.uniform(-5, 5, size=3)
    return painted(trimesh.convex.convex_hull(points))


@pytest.mark.parametrize("seed", range(2))
def test_t3bench_centers_by_the_mean_of_vertices_and_scales_by_the_largest_coordinate(seed):
    mesh = _mesh(seed)
    placed = rigs.place_for_t3bench(mesh)
    centerd = mesh.vertices - mesh.vertices.sum(axis=0) / len(mesh.vertices)
    np.testing.assert_allclose(placed.vertices, centerd / max(map(abs, centerd.ravel())), atol=1e-9)
    np.testing.assert_array_equal(placed.faces, mesh.faces)
    assert placed.at(mesh.vertices) == mesh


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("elevation", "distance", "fovy"), [(15.0, 1.5, 70.0), (-40.0, 3.0, 40.0)])
def test_ring_shows_the_whole_mesh(seed, elevation, distance, fovy):
    rig = RingRig(views=12, elevation_deg=elevation, distance=distance, fovy_deg=fovy)
    placed = rigs.place_for_ring(_mesh(seed), rig)
    cameras = rigs.ring_cameras(rig)
    world_to_camera = np.linalg.inv(cameras.camera_to_world.numpy())
    points = placed.vertices @ world_to_camera[:, :3, :3].transpose(0, 2, 1) + world_to_camera[:, None, :3, 3]
    reach = np.abs(points[..., :2]).max(axis=-1) / -points[..., 2] / np.tan(np.radians(fovy) / 2)
    assert (points[..., 2] < 0).all()
    assert reach.max() <= 1 + 1e-9
    assert reach.max() > 0.4  # and it is large
    _, coverage = render(placed, cameras.camera_to_world, cameras.fovy, 64)
    assert (coverage.mean(axis=(1, 2)) > 0.005).all()


def test_sphere_fills_the_ring_s_pictures():
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=7.0)
    sphere.apply_translation((1, 2, 3))
    placed = rigs.place_for_ring(painted(sphere), RING)
    cameras = rigs.ring_cameras(RingRig(views=3, elevation_deg=15.0, distance=1.5, fovy_deg=70.0))
    _, coverage = render(placed, cameras.camera_to_world, cameras.fovy, 128)
    np.testing.assert_allclose(coverage.mean(axis=(1, 2)), np.pi / 4, atol=0.01)  # the inscribed circle
