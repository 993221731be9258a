import math

import numpy as np
import pytest
import torch

from jsdpipe.config.recipes import load_recipe
from jsdpipe.scene.cameras import Offsets, Viewpoints, random_viewpoints
from jsdpipe.scene.settings import CameraJitter

PLAIN = load_recipe("published/jsdlr").cameras
JITTERED = PLAIN.model_copy(update={"jitter": CameraJitter(position=0.1, center=0.2, up=0.02)})


def drawn(settings, views=40_000, step=0):
    return random_viewpoints(settings, views, torch.Generator().manual_seed(0), step)


def test_offsets_move_and_turn_the_camera_by_hand():
    azimuth, elevation, distance = 0.7, 0.3, 1.6
    position, center, up = np.array([[0.05, -0.1, 0.02], [0.1, 0.3, -0.2], [0.03, -0.01, 0.02]])
    offsets = Offsets(*(torch.tensor(x[None], dtype=torch.float32) for x in (position, center, up)))
    views = Viewpoints(*(torch.tensor([x]) for x in (azimuth, elevation, distance, math.radians(50))), offsets)
    origins, directions = (x.view(3, 3, 3).numpy() for x in views.rays(3))

    where = distance * np.array(
        [math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)]
    )
    where = where + position
    ahead = (center - where) / np.linalg.norm(center - where)
    right = np.cross(ahead, np.array([0, 0, 1]) + up)
    right /= np.linalg.norm(right)
    assert origins == pytest.approx(np.broadcast_to(where, (3, 3, 3)), abs=1e-6)
    assert views.position[0].tolist() == pytest.approx(where, abs=1e-6)
    assert directions[1, 1] == pytest.approx(ahead, abs=1e-6)
    for across, expected in [
        (directions[1, 2] - directions[1, 0], right),
        (directions[0, 1] - directions[2, 1], np.cross(right, ahead)),
    ]:
        assert across / np.linalg.norm(across) == pytest.approx(expected, abs=1e-6)


def test_offsets_are_drawn_as_in_threestudio():
    offsets = drawn(JITTERED).offsets
    for found, deviation in [(offsets.position, 0.1 / math.sqrt(3)), (offsets.center, 0.2), (offsets.up, 0.02)]:
        assert found.mean(dim=0).tolist() == pytest.approx([0] * 3, abs=0.02 * deviation)
        assert found.std(dim=0).tolist() == pytest.approx([deviation] * 3, rel=0.02)
    assert 0.0999 < offsets.position.abs().max() <= 0.1
    assert offsets.center.abs().max() > 0.6  # beyond three deviations


def test_offsets_leave_what_prompts_and_adapters_learn():
    plain, jittered = drawn(PLAIN), drawn(JITTERED)
    assert plain.offsets is None
    for name in ("azimuth", "elevation", "distance", "fovy"):
        assert torch.equal(getattr(plain, name), getattr(jittered, name)), name


def test_the_first_views_are_of_front_and_back():
    settings = PLAIN.model_copy(update={"front_back_steps": 1000})
    degrees = torch.rad2deg(drawn(settings, step=999).azimuth)
    assert degrees.min() >= -180 and degrees.max() <= 180
    front = degrees[degrees.abs() < 90]
    assert len(front) / 40_000 == pytest.approx(0.5, abs=0.01)
    back = degrees[degrees.abs() >= 90]
    for aside in (front, back - 180 * back.sign()):
        assert 29.9 < aside.abs().max() <= 30.001
        assert aside.mean().item() == pytest.approx(0, abs=0.5)
        assert aside.std().item() == pytest.approx(60 / math.sqrt(12), rel=0.02)
    assert torch.equal(drawn(settings, step=1000).azimuth, drawn(PLAIN).azimuth)
