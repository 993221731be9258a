import math

import pytest
import torch

from jsdpipe.miniature.grammar import KINDS, Description, Thing
from jsdpipe.miniature.scenes import compose
from jsdpipe.miniature.solids import Part
from jsdpipe.miniature.tracing import DISTANCE, FOVY, shade, trace

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


def test_every_kind_is_drawn():
    for kind in KINDS:
        scene = compose([Description((Thing(kind, "red"),))], torch.Generator().manual_seed(0))
        coverage = trace(scene, torch.full((1,), 0.6), torch.full((1,), 0.4), SUN).coverage
        assert 0.04 < float(coverage.mean()) < 0.6, kind
