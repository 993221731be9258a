"""What training images look like after they were made to look like distilled assets."""

import torch

from jsdpipe.miniature_training import augmentation
from jsdpipe.miniature_training.augmentation import MOTTLE, WARP, distilled


def draw():
    return torch.Generator().manual_seed(0)


def test_black_stays_black():
    assert not distilled(torch.zeros(32, 3, 64, 64), draw()).any()


def test_a_share_of_the_images_is_changed(monkeypatch):
    images = torch.rand(400, 3, 64, 64, generator=draw())
    for share in (0.0, 0.5, 1.0):
        monkeypatch.setattr(augmentation, "DISTILLED_SHARE", share)
        changed = (distilled(images, draw()) - images).abs().amax(dim=(1, 2, 3)) > 1e-4
        assert abs(changed.float().mean() - share) < 0.1


def test_colors_and_places_change_smoothly_and_not_too_far(monkeypatch):
    """The deviation of gray images' colors, and of the places of a ramp's values, is at most that of the constants."""
    monkeypatch.setattr(augmentation, "DISTILLED_SHARE", 1.0)
    gray = torch.full((200, 3, 64, 64), 0.5)
    mottled = distilled(gray, draw()) - gray
    assert 0.2 * MOTTLE < mottled.std() < MOTTLE
    steps = (mottled[..., 1:] - mottled[..., :-1]).std()
    assert steps < mottled.std()
    monkeypatch.setattr(augmentation, "MOTTLE", 0.0)
    ramp = torch.linspace(0.2, 0.8, 64).expand(200, 3, 64, 64)
    moved = (distilled(ramp, draw()) - ramp)[:, 0, 16:48, 16:48] / 0.3  # in half widths
    assert 0.2 * WARP < moved.std() < WARP
