"""The two renderers give one picture; places, masks and textures are those worked out otherwise; contexts end."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from pictures import need, painted, views
from scipy.ndimage import map_coordinates
from trimesh.visual.color import linear_to_srgb, srgb_to_linear

from jsdpipe.base.cameras import look_at_origin
from jsdpipe.base.errors import UserError
from jsdpipe.config.run_config import QualityRig
from jsdpipe.mesh.isosurface import extract
from jsdpipe.mesh.surface import Surface, Texture
from jsdpipe.render import rigs
from jsdpipe.render.renderer import open_renderer, render_views

DRAW = np.random.default_rng(0)
CAMERAS = rigs.quality_cameras(QualityRig(subdivision=2, radius=2.2, fovy_deg=[60.0, 45.0, 36.0, 30.0, 24.0]))
SOME = [90, 61, 232, 418, 504]  # of the 810: each field of view, and a pole


def _cameras(*positions, fovy=np.pi / 4) -> rigs.Cameras:
    poses = look_at_origin(torch.tensor(positions, dtype=torch.float64))
    return rigs.Cameras(poses, torch.full((len(poses),), fovy, dtype=torch.float64))


def _colored_blob() -> Surface:
    sphere = trimesh.creation.icosphere(subdivisions=4)
    bumps = 1 + 0.2 * np.sin(9 * sphere.vertices[:, :1]) * np.sin(7 * sphere.vertices[:, 1:2])
    colors = DRAW.integers(0, 256, sphere.vertices.shape).astype(np.uint8)
    return Surface.colored(sphere.vertices * bumps, sphere.faces, colors)


def _textured_blob() -> Surface:
    """Two textures of odd sizes and no texture, a third of the faces each, mixed; uv from -2 to 3."""
    blob = _colored_blob()
    textures = tuple(Texture(DRAW.integers(0, 256, shape).astype(np.uint8)) for shape in ((37, 53, 3), (64, 9, 3)))
    uv = (blob.vertices[:, :2] * 2.3 + 0.4).astype(np.float32)
    return replace(blob, uv=uv, texture=(np.arange(len(blob.faces)) % 3 - 1).astype(np.int32), textures=textures)


def _masked_blob() -> Surface:
    """A textured blob whose textures cut it away where they have low alphas; its backs are seen through the holes."""
    blob = _textured_blob()
    alphas = [DRAW.integers(0, 256, (*texture.pixels.shape[:2], 1)).astype(np.uint8) for texture in blob.textures]
    textures = (
        Texture(np.concatenate([texture.pixels, alpha], axis=2), ("mirror", "clamp"), 0.4)
        for texture, alpha in zip(blob.textures, alphas, strict=True)
    )
    return replace(blob, uv=blob.uv / 5, textures=tuple(textures))


def _thin_parts() -> Surface:
    """A frame of rods and a sheet that is open on both sides."""
    rods = [
        trimesh.creation.cylinder(0.015, segment=np.array((a, b)))
        for a, b in trimesh.creation.box((1.6, 1.2, 1.0)).vertices[[[0, 7], [1, 6], [2, 5], [3, 4], [0, 3]]]
    ]
    sheet = trimesh.Trimesh([[-1, -0.5, 0], [1, -0.5, 0.1], [0, 0.9, -0.2]], [[0, 1, 2]], process=False)
    mesh = trimesh.util.concatenate([*rods, sheet])
    return painted(mesh, DRAW.integers(0, 256, mesh.vertices.shape))


@pytest.mark.parametrize(
    ("make", "size", "supersample"),
    [
        (_colored_blob, 512, 1), (_textured_blob, 512, 1), (_masked_blob, 512, 1), (_thin_parts, 512, 1),
        (_textured_blob, 128, 2),
    ],
)  # fmt: skip
def test_both_give_the_same_picture(make, size, supersample):
    need("moderngl")
    surface = rigs.place_for_t3bench(make())
    cameras = rigs.Cameras(CAMERAS.camera_to_world[SOME], CAMERAS.fovy[SOME])
    ours, theirs = (views(surface, cameras, size, supersample, kind) for kind in ("embree", "moderngl"))
    for one, other in zip(ours, theirs, strict=True):
        inside = one.any(axis=-1) & other.any(axis=-1)
        assert inside.sum() / (one.any(axis=-1) | other.any(axis=-1)).sum() > 0.999
        assert inside.mean() > 0.02
        assert np.abs(one[inside].astype(float) - other[inside]).mean() < 1


@pytest.fixture(params=["embree", "moderngl"])
def kind(request):
    return need(request.param)


def _points(view, cameras, size) -> tuple[np.ndarray, np.ndarray]:
    """Where a single camera's pixels look to: the point (S, S, 3) at depth 1, relative to the camera; the camera."""
    pose = cameras.camera_to_world[0].numpy()
    steps = ((np.arange(size) + 0.5) / size * 2 - 1) * np.tan(float(cameras.fovy[0]) / 2)
    x, y = np.meshgrid(steps, -steps)
    return np.stack((x, y, -np.ones_like(x)), axis=-1) @ pose[:3, :3].T, pose[:3, 3]


def _painted_by_place(mesh: trimesh.Trimesh) -> Surface:
    """A mesh whose colors tell where its points are: of -1 to 1 along each axis, 50 to 250."""
    return painted(mesh, (150 + 100 * mesh.vertices).round())


@pytest.mark.parametrize("position", [(2.2, 0.0, 0.0), (0.1, 0.2, -2.9), (1.5, -1.9, 1.0)])
def test_pixels_see_the_nearer_points_of_a_sphere(kind, position):
    cameras = _cameras(position)
    (view,) = views(_painted_by_place(trimesh.creation.icosphere(subdivisions=6)), cameras, 96, kind=kind)
    ray, origin = _points(view, cameras, 96)
    # |origin + t ray| = 1, the nearer of both
    a, b, c = (ray**2).sum(-1), (ray * origin).sum(-1), (origin**2).sum() - 1
    root = b**2 - a * c
    inside = root > 0.05 * a
    points = origin + ((-b - np.sqrt(root.clip(0))) / a)[..., None] * ray
    assert 0.1 < inside.mean() < 0.95
    np.testing.assert_allclose(view[inside], (150 + 100 * points)[inside], atol=1.2)
    assert not view[root < 0].any()


@pytest.mark.parametrize("turned", [False, True])
def test_pixels_see_the_near_sides_of_a_cube_whichever_way_its_faces_turn(kind, turned):
    box, cameras = trimesh.creation.box((1.0, 1.2, 0.8)), _cameras((1.8, 1.1, 1.3))
    if turned:
        box.invert()
    (view,) = views(_painted_by_place(box), cameras, 96, kind=kind)
    ray, origin = _points(view, cameras, 96)
    # all three visible sides are on the camera's side of the origin: the last of their planes that the ray enters
    depth = (np.array((0.5, 0.6, 0.4)) - origin) / ray
    side, depth = depth.argmax(-1), depth.max(-1)
    points = origin + depth[..., None] * ray
    inside = (np.abs(points) / (0.5, 0.6, 0.4)).max(-1) < 1 + 1e-9
    assert inside.mean() > 0.1 and set(side[inside]) == {0, 1, 2}
    np.testing.assert_allclose(view[inside], (150 + 100 * points)[inside], atol=1.2)


def test_half_covered_pixels_are_half_as_bright(kind):
    # a wall whose edge goes through the middle of the picture's middle pixels
    corners = np.array([[0, 0, -9], [0, 9, -9], [0, 9, 9], [0, 0, 9]], float)
    surface = Surface.colored(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.full((4, 3), 200))
    (view,) = views(surface, _cameras((3.0, 0, 0)), 5, 2, kind)
    assert view[2, :, 0].tolist() == [0, 0, 100, 200, 200]


WRAPS = {"repeat": "grid-wrap", "clamp": "nearest", "mirror": "reflect"}  # as SciPy calls them


@pytest.mark.parametrize("wrap", [("repeat", "repeat"), ("clamp", "mirror"), ("mirror", "repeat")])
def test_textures_are_bilinear_wrapped_upright_and_times_the_color(kind, wrap):
    color = (255, 128, 51)
    texture = DRAW.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    corners = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]], float)  # from +x: y to the right, z up
    low, high = np.array((-0.8, -1.3)), np.array((1.6, 1.9))
    uv = low + (high - low) * (corners[:, 1:] + 1) / 2
    surface = Surface(
        corners, np.array([[0, 1, 2], [0, 2, 3]]), np.full((4, 3), color, np.uint8), uv.astype(np.float32),
        np.zeros(2, np.int32), (Texture(texture, wrap),),
    )  # fmt: skip
    (view,) = views(surface, _cameras((2.0, 0, 0), fovy=2 * np.arctan(0.5)), 64, 1, kind)  # the square fills it
    along = (np.arange(64) + 0.5) / 64
    u, v = np.meshgrid(low[0] + (high - low)[0] * along, low[1] + (high - low)[1] * along[::-1])
    texels = _sampled(texture, wrap, (1 - v) * 5 - 0.5, u * 7 - 0.5)  # texels' centers; v upwards, rows downwards
    expected = 255 * linear_to_srgb(srgb_to_linear(texels / 255) * srgb_to_linear(np.array(color) / 255))
    # OpenGL weighs texels by 1/256 at best
    assert np.abs(view - expected).max() < 2
    assert np.abs(view - expected).mean() < 0.5


def _sampled(texture, wrap, rows, columns):
    """A texture's bilinear values at rows and columns of texels' centers."""
    (height, width), margin = texture.shape[:2], 20  # beyond the farthest coordinate
    of_rows, of_columns = (np.arange(-margin, size + margin) for size in (height, width))
    sides = [
        map_coordinates(np.arange(size), [at], order=0, mode=WRAPS[kind])
        for size, at, kind in ((height, of_rows, wrap[1]), (width, of_columns, wrap[0]))
    ]
    unrolled = texture[np.ix_(*sides)].astype(float)
    return np.stack(
        [map_coordinates(unrolled[..., c], (rows + margin, columns + margin), order=1) for c in range(3)], axis=-1
    )


def test_what_an_alpha_mask_cuts_away_is_not_there(kind):
    """Two sheets of half-cut texture and a wall behind them, in four quarters."""
    corners = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]], float)
    near = np.array([[[255, 0, 0, 255], [255, 0, 0, 0]]] * 2, np.uint8)  # its left half
    middle = np.array([[[0, 255, 0, 128]] * 2, [[0, 255, 0, 127]] * 2], np.uint8)  # its upper half
    wall = np.array([[[0, 0, 255, 255]]], np.uint8)
    uv = (corners[:, 1:] + 1) / 2
    surface = Surface(
        np.concatenate([corners + np.array([x, 0, 0]) for x in (0.5, 0.499, -0.5)]),
        np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * at for at in range(3)]),
        np.full((12, 3), 255, np.uint8), np.tile(uv, (3, 1)).astype(np.float32),
        np.repeat([0, 1, 2], 2).astype(np.int32),
        (Texture(near, cutoff=0.5), Texture(middle, cutoff=127.5 / 255), Texture(wall[..., :3])),
    )  # fmt: skip
    (view,) = views(surface, _cameras((2.0, 0, 0), fovy=0.5), 64, 1, kind)
    for (row, column), color in (
        ((8, 8), (255, 0, 0)),
        ((60, 8), (255, 0, 0)),
        ((8, 55), (0, 255, 0)),
        ((55, 55), (0, 0, 255)),
    ):
        assert tuple(view[row, column]) == color
    assert view.any(axis=-1).all()
    (alone,) = views(replace(surface, faces=surface.faces[:4], texture=surface.texture[:4]),
                     _cameras((2.0, 0, 0), fovy=0.5), 64, 1, kind)  # fmt: skip
    assert not alone[55, 55].any()


class Shells:
    """A field of a ball with a hollow, and of a smaller ball in it and one beside it."""

    bound = 1.0

    def density(self, points):
        from_ball, from_core, from_other = (
            (points - torch.tensor(center)).norm(dim=1) for center in ((-0.3, 0, 0), (-0.4, 0.1, 0), (0.6, 0.5, 0.3))
        )
        ball = torch.minimum(0.55 - from_ball, from_ball - 0.4)
        return ball.maximum(0.15 - from_core).maximum(0.25 - from_other)

    def albedo(self, points):
        return 0.2 + 0.8 * points.abs()


def test_backs_of_a_solid_s_surface_are_left_out_unseen(kind):
    surface, _ = extract(Shells(), 48, 0.0)
    surface = rigs.place_for_t3bench(surface)
    around = rigs.Cameras(CAMERAS.camera_to_world[::45], CAMERAS.fovy[::45])
    within = _cameras((0.2, 0.1, 0.0), fovy=2.0)  # between the balls, in the box around them: sees the same too
    for cameras in (around, within):
        drawn, left_out = (views(surface, cameras, 128, 1, kind, solid) for solid in (False, True))
        for one, other in zip(drawn, left_out, strict=True):
            assert one.any(axis=-1).mean() > 0.05
            np.testing.assert_array_equal(one.any(axis=-1), other.any(axis=-1))
            # on a silhouette, the front and the back of the same edge are equally near
            assert (one == other).all(axis=-1).mean() > 0.9995
            np.testing.assert_allclose(one.astype(int), other.astype(int), atol=8)


def test_opengl_leaves_out_the_backs_of_a_solid_s_surface():
    need("moderngl")
    box = trimesh.creation.box()
    box.invert()
    surface = _painted_by_place(box)
    front, inside = (views(surface, _cameras((3.0, 0, 0)), 9, 1, "moderngl", solid)[0] for solid in (0, 1))
    assert [view[4, 4, 0] for view in (front, inside)] == [200, 100]  # x is 0.5, -0.5


def test_colors_are_interpolated_in_space_not_on_the_screen(kind):
    # a floor that runs away from the camera: half of its picture's height is not half of its length
    corners = np.array([[1, -1, 0], [1, 1, 0], [-9, 1, 0], [-9, -1, 0]], float)
    colors = np.array([[0] * 3, [0] * 3, [250] * 3, [250] * 3])
    surface = Surface.colored(corners, np.array([[0, 1, 2], [0, 2, 3]]), colors)
    cameras = _cameras((3.0, 0, 1.0))
    (view,) = views(surface, cameras, 64, 1, kind)
    ray, origin = _points(view, cameras, 64)
    x, y, _ = np.moveaxis(origin - ray * origin[2] / ray[..., 2:], -1, 0)
    inside = (ray[..., 2] < 0) & (np.abs(x + 4) < 4.99) & (np.abs(y) < 0.99)
    assert inside.mean() > 0.2
    np.testing.assert_allclose(view[inside, 0], 25 * (1 - x[inside]), atol=1)


RENDERING = """
import hashlib, sys
import numpy as np, trimesh
sys.path[:0] = ["tests"]
from pictures import painted, views
from jsdpipe.config.run_config import RingRig
from jsdpipe.render.rigs import ring_cameras
cameras = ring_cameras(RingRig(views=20, elevation_deg=15.0, distance=2.6, fovy_deg=45.0))
ball = trimesh.creation.icosphere(subdivisions=4)
seen = views(painted(ball, (ball.vertices * 100 + 100).astype(np.uint8)), cameras, 128, 2, kind="moderngl")
print(hashlib.sha256(b"".join(view.tobytes() for view in seen)).hexdigest())
"""


def test_processes_beside_each_other_give_the_same_bytes():
    need("moderngl")
    root = Path(__file__).parents[2]
    started = [
        subprocess.Popen([sys.executable, "-c", RENDERING], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    digests = [process.communicate()[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * 2
    assert len(digests[0]) == 64 and len(set(digests)) == 1


def test_pytorch_s_compiler_can_be_loaded_beside_opengl():
    """As the scores do in the process that has rendered, by hand."""
    need("moderngl")
    code = "from jsdpipe.render.moderngl import context\nwith context():\n    pass\nimport torch._dynamo"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_memory_files_and_threads_stay_flat_over_meshes_and_views(kind):
    surface, cameras = _textured_blob(), _cameras((2.2, 0, 0))

    def used():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        files, threads = (len(list(Path("/proc/self", name).iterdir())) for name in ("fd", "task"))
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, files, threads

    def some(meshes, looks):
        for _ in range(meshes):
            with open_renderer(surface, kind) as renderer:
                for _ in range(looks):
                    for _view in render_views(renderer, cameras, 256):
                        pass

    some(5, 2)
    before = used()
    some(15, 1)
    some(1, 30)
    after = used()
    assert after[0] - before[0] < 25  # MiB; the 45 views are 8 MiB, their contexts 4 each
    assert after[1:] == before[1:]


def test_two_renderers_can_be_open_at_once(kind):
    cameras = _cameras((3.0, 0, 0))
    ball = trimesh.creation.icosphere(subdivisions=2)
    with (
        open_renderer(painted(ball, (255, 0, 0)), kind) as red,
        open_renderer(painted(ball, (0, 0, 255)), kind) as blue,
    ):
        seen = [next(render_views(of, cameras, 32))[16, 16].tolist() for of in (red, blue, red)]
    assert seen == [[255, 0, 0], [0, 0, 255], [255, 0, 0]]


def test_missing_opengl_names_the_packages(monkeypatch):
    monkeypatch.setenv("GLCONTEXT_LINUX_LIBEGL", "libabsent.so")
    with pytest.raises(UserError, match="libegl1, libgl1 and libgl1-mesa-dri"):
        views(_colored_blob(), _cameras((3.0, 0, 0)), 32, kind="moderngl")
    monkeypatch.setitem(sys.modules, "moderngl", None)
    with pytest.raises(UserError, match="moderngl"):
        views(_colored_blob(), _cameras((3.0, 0, 0)), 32, kind="moderngl")


def test_a_texture_too_large_for_opengl_is_refused():
    need("moderngl")
    blob = replace(_textured_blob(), textures=(Texture(np.zeros((2, 1 << 17, 3), np.uint8)),) * 2)
    with pytest.raises(UserError, match="131072"):
        views(blob, _cameras((3.0, 0, 0)), 32, kind="moderngl")
