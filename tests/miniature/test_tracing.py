import math

import pytest
import torch

from jsdpipe.base.cameras import look_at_origin, orbit, rays
from jsdpipe.miniature.grammar import COLORS, KINDS, PATTERNS, SUPPORTS, SURROUNDINGS, Description, Thing
from jsdpipe.miniature.scenes import compose
from jsdpipe.miniature.solids import Part, Scene, albedo, distance, select
from jsdpipe.miniature.tracing import DISTANCE, FOVY, NOTHING, REACH, STEPS, shade, trace

SUN = torch.tensor([[0.0, 0.0, 1.0]])


def sphere(radius: float, color: tuple[float, float, float]) -> Part:
    zero = torch.zeros(1)
    return Part(
        "ellipsoid",
        torch.zeros(1, 3),
        torch.full((1, 3), radius),
        torch.tensor([color]),
        zero,
        zero,
        torch.ones(1, dtype=torch.bool),
        torch.zeros(1, dtype=torch.long),
        torch.zeros(1, 3),
        torch.ones(1),
    )


@pytest.mark.parametrize("elevation", [-0.5, 0.0, 0.9])
def test_a_sphere_covers_its_disc_and_is_lit_from_above(elevation):
    radius = 0.6
    layers = trace([[sphere(radius, (1.0, 0.5, 0.25))]], torch.zeros(1), torch.tensor([elevation]), SUN)
    # the silhouette of a sphere is the cone of half angle asin(r / d)
    disc = math.tan(math.asin(radius / DISTANCE)) / math.tan(FOVY / 2) * 32
    # half a pixel of soft rim lies outside of it
    assert math.pi * disc**2 < float(layers.coverage.sum()) < math.pi * (disc + 1) ** 2
    covered = layers.coverage[0] == 1
    torch.testing.assert_close(
        layers.albedo[0][covered], torch.tensor([1.0, 0.5, 0.25]).expand(int(covered.sum()), 3), atol=1e-6, rtol=0
    )
    # at the center the normal points to the camera: n . l = sin(elevation)
    center = layers.light[0, 31:33, 31:33].mean()
    assert float(center) == pytest.approx(max(math.sin(elevation), 0), abs=0.03)


def test_the_front_is_seen_from_azimuth_zero():
    """A duck's beak is orange: it is seen from the front, not from behind."""
    scene = compose([Description((Thing("duck", "blue"),))] * 2, torch.Generator().manual_seed(0))
    azimuth = torch.tensor([0.0, math.pi])
    albedo = trace(scene, azimuth, torch.full((2,), 0.1), SUN.expand(2, 3)).albedo
    orange = (albedo[..., 0] > 0.8) & (albedo[..., 2] < 0.3)
    front, back = orange.sum(dim=(1, 2)).tolist()
    assert front > 20 > 2 > back


def test_shading_blends_light_and_background():
    layers = trace([[sphere(0.6, (0.8, 0.4, 0.2))]], torch.zeros(1), torch.zeros(1), SUN)
    image = shade(layers, torch.tensor([[0.1, 0.2, 0.3]]), torch.ones(1))
    torch.testing.assert_close(image[0, 0, 0], torch.tensor([0.1, 0.2, 0.3]))
    torch.testing.assert_close(image[0, 32, 32], torch.tensor([0.8, 0.4, 0.2]), atol=2e-3, rtol=0)


def test_an_item_of_a_batch_is_what_it_is_alone():
    draw = torch.Generator().manual_seed(3)
    scene = compose([Description((Thing("house", "red"),))] * 3, draw)
    azimuth, elevation = torch.tensor([0.1, 1.0, 2.0]), torch.tensor([0.0, 0.5, 0.9])
    together = trace(scene, azimuth, elevation, SUN.expand(3, 3))
    alone = trace([[p.select(torch.tensor([1])) for p in solid] for solid in scene], azimuth[1:2], elevation[1:2], SUN)
    torch.testing.assert_close(together.albedo[1], alone.albedo[0])
    torch.testing.assert_close(together.coverage[1], alone.coverage[0])


def reference(scene: Scene, position: torch.Tensor, directions: torch.Tensor, sun: torch.Tensor):
    """Albedo (M, 3), light and coverage (M,) of one scene's rays, by `solids` and double precision."""
    scene = select(scene, torch.zeros(len(directions), dtype=torch.long))
    for part in (part for solid in scene for part in solid):
        for name, value in vars(part).items():
            if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
                object.__setattr__(part, name, value.double())
    along = -(directions @ position)
    gap = (position + along[:, None] * directions).norm(dim=1)
    inside = gap < REACH
    half = (REACH**2 - gap**2).clamp(min=0).sqrt()
    t, far = along - half, along + half
    best, best_t, going = torch.full_like(t, torch.inf), t.clone(), inside.clone()
    for _ in range(STEPS):
        h = distance(scene, position + t[:, None] * directions)
        ratio = h / (math.tan(FOVY / 2) / 64 * t)
        nearer = going & (ratio < best)
        best, best_t = torch.where(nearer, ratio, best), torch.where(nearer, t, best_t)
        going &= (ratio > 0.05) & (t < far)
        t = t + 0.95 * h.clamp(min=0.002)
    coverage = (1 - best.clamp(0, 2) / 2) * inside
    points = position + best_t[:, None] * directions
    corners = torch.tensor([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]]).double()
    slope = sum(corner * distance(scene, points + 2e-3 * corner)[:, None] for corner in corners)
    normals = torch.nn.functional.normalize(slope, dim=1)
    shown = coverage > 0
    return albedo(scene, points) * shown[:, None], (normals @ sun).clamp(min=0) * shown, coverage


SCENES = [Description((Thing(kind, COLORS[i % 9], (None, *PATTERNS)[i % 3]),)) for i, kind in enumerate(KINDS)]
SCENES += [Description((Thing("mug", "red"),), surrounding=surrounding) for surrounding in SURROUNDINGS]
SCENES += [Description((Thing("mushroom", "blue"), Thing(support, "white")), relation="on") for support in SUPPORTS]
SCENES += [Description((Thing("donut", "pink"), Thing("umbrella", "green", "spotted")), relation="and")]


def test_pictures_are_those_of_the_distance_functions():
    draw = torch.Generator().manual_seed(0)
    differences = []
    for description in SCENES:
        scene = compose([description], draw)
        azimuth, elevation = torch.rand(1, generator=draw) * 6.28, torch.rand(1, generator=draw) * 2.4 - 1.2
        sun = torch.nn.functional.normalize(torch.randn(1, 3, generator=draw), dim=1)
        traced = trace(scene, azimuth, elevation, sun)
        position = orbit(azimuth.double(), elevation.double(), torch.tensor([DISTANCE]).double())
        _, directions = rays(look_at_origin(position), torch.tensor([FOVY]).double(), 64)
        color, light, coverage = reference(scene, position[0], directions.reshape(-1, 3), sun[0].double())
        expected = (color.view(64, 64, 3), light.view(64, 64), coverage.view(64, 64))
        layers = (traced.albedo[0], traced.light[0], traced.coverage[0])
        differences.append([float((a - b).abs().mean()) for a, b in zip(layers, expected, strict=True)])
    assert (torch.tensor(differences).mean(dim=0) < 1e-6).all()


def test_threads_do_not_change_pictures(monkeypatch):
    draw = torch.Generator().manual_seed(1)
    scene = compose([SCENES[-1]] * 4, draw)
    views = (torch.rand(4, generator=draw) * 6, torch.rand(4, generator=draw), SUN.expand(4, 3))
    pictures = []
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        pictures.append(trace(scene, *views))
    for name, one in vars(pictures[0]).items():
        assert torch.equal(one, getattr(pictures[1], name)), name


def test_what_hides_another_is_known():
    """A ball, seen from +y, hides another behind it; from the side both are whole."""
    near, far = sphere(0.3, (1.0, 0.0, 0.0)), sphere(0.3, (0.0, 1.0, 0.0))
    near.center[:, 1], far.center[:, 1] = 0.5, -0.5
    scene = [[part.select(torch.tensor([0, 0]))] for part in (far, near)]
    traced = trace(scene, torch.tensor([math.pi / 2, 0.0]), torch.zeros(2), SUN.expand(2, 3))
    torch.testing.assert_close(traced.visible, torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
    for view, shown in enumerate(((1,), (0, 1))):
        covered = traced.coverage[view] >= 0.5
        assert set(traced.solid[view][covered].tolist()) == set(shown)
        assert (traced.solid[view][~covered] == NOTHING).all()
    red = traced.albedo[1, ..., 0] == 1  # the near ball's
    assert (traced.solid[1][red & (traced.coverage[1] >= 0.5)] == 1).all()


def test_every_kind_is_drawn():
    for kind in KINDS:
        scene = compose([Description((Thing(kind, "red"),))], torch.Generator().manual_seed(0))
        coverage = trace(scene, torch.full((1,), 0.6), torch.full((1,), 0.4), SUN).coverage
        assert 0.04 < float(coverage.mean()) < 0.6, kind
