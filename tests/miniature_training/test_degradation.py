"""Degraded training images, kind by kind, against scipy and by hand."""

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional as F

from jsdpipe.miniature_training.degradation import BLUR, HOLES, KINDS, SATURATION, blurred, degraded


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def only(monkeypatch):
    """Degrade images by one kind: a function of its name, images and doses (D,)."""

    def of(kind, images, doses):
        monkeypatch.setattr("jsdpipe.miniature_training.degradation.random_kinds", lambda n, _: [kind] * n)
        return degraded(images, torch.tensor(doses)[:, None].expand(-1, len(images)), draw())

    return of


def scenes(n):
    """Smooth bright shapes on black, whose colors are far from both ends."""
    colors = F.interpolate(0.3 + 0.4 * torch.rand(n, 3, 4, 4, generator=draw(1)), (64, 64), mode="bilinear")
    colors[:, :, :12] = colors[:, :, 52:] = colors[..., :12] = colors[..., 52:] = 0
    return colors


@pytest.mark.parametrize("kind", KINDS)
def test_black_stays_black_and_all_stays_in_range(only, kind):
    assert not only(kind, torch.zeros(4, 3, 64, 64), [0.0, 1.0]).any()
    out = only(kind, torch.rand(4, 3, 64, 64, generator=draw()), [0.5, 1.0])
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_dose_changes_nothing_and_more_changes_more(only, kind):
    images = scenes(8)
    out = only(kind, images, [0.0, 0.2, 0.5, 1.0])
    change = (out - images).abs().mean(dim=(2, 3, 4))
    assert change[0].max() < 1e-4
    assert (change.diff(dim=0) > 0).all()


def test_kinds_are_drawn_image_by_image_and_the_same_at_all_doses():
    images = scenes(64)
    out = degraded(images, torch.full((2, 64), 0.7), draw())
    assert torch.equal(out[0], out[1])
    silhouettes = ((out[0] > 0) != (images > 0)).any(dim=(1, 2, 3))
    assert 0 < silhouettes.float().mean() < 1


def test_a_blur_is_scipys():
    images = torch.rand(3, 2, 64, 64, generator=draw())
    deviations = torch.tensor([0.5, 2.0, BLUR])
    ours = blurred(images, deviations[:, None, None, None])
    for image, deviation, got in zip(images.numpy(), deviations.tolist(), ours.numpy(), strict=True):
        for channel, theirs in zip(image, got, strict=True):
            expected = gaussian_filter(channel, deviation, mode="nearest", radius=int(3 * BLUR))
            assert abs(theirs - expected).max() < 1e-5


def test_the_colors_blur_within_the_silhouette(only):
    """So a thing of one color stays as it is, and stripes get fainter, without a dark rim."""
    images = scenes(1).sign() * torch.tensor([0.7, 0.3, 0.5])[:, None, None]
    assert torch.allclose(only("color blur", images, [1.0])[0], images, atol=1e-5)
    stripes = images * torch.where(torch.arange(64) % 8 < 4, 1.0, 0.5)
    out = only("color blur", stripes, [0.3])[0]
    assert torch.equal(out > 0, images > 0)
    assert out[0, 0][images[0, 0] > 0].min() > 0.35
    assert out[0, 0][images[0, 0] > 0].std() < 0.8 * stripes[0, 0][images[0, 0] > 0].std()


def test_holes_show_what_is_behind_on_their_share(only):
    images = torch.full((32, 3, 64, 64), 0.6)
    images[:, :, 0, 0] = 0.1
    for dose in (0.25, 1.0):
        share = (only("holes", images, [dose])[0] == 0.1).all(dim=1).float().mean()
        assert abs(share - HOLES * dose) < 0.06


def test_saturation_moves_colors_from_their_grey_or_to_it(only):
    """(0.5, 0.3, 0.4) has the luma 0.2126 * 0.5 + 0.7152 * 0.3 + 0.0722 * 0.4 = 0.34974."""
    color = torch.tensor([0.5, 0.3, 0.4])
    out = only("saturation", color[:, None, None].expand(16, 3, 64, 64), [0.5])[0, :, :, 0, 0]
    away, to = (0.34974 + (1 + sign * SATURATION / 2) * (color - 0.34974) for sign in (1, -1))
    assert all(torch.allclose(of, away, atol=1e-4) or torch.allclose(of, to, atol=1e-4) for of in out)
    assert len({round(float(of[0]), 3) for of in out}) == 2
