"""The colors of similarities: one scale a run, a pixel a pair, nothing where a seed failed."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from jsdpipe.report.similarity_heatmap import Scale

DARK, BRIGHT = "#00224e", "#fee838"  # the ends of cividis


def matrix(*off_diagonal):
    """Three seeds, the last one failed."""
    (a,) = off_diagonal
    return pd.DataFrame([[1, a, np.nan], [a, 1, np.nan], [np.nan] * 3], [0, 1, 4], [0, 1, 4])


@pytest.mark.parametrize(
    ("least", "low"),
    [((0.62, 0.99), 0.6), ((0.6,), 0.6), ((-0.21, 1), -0.25), ((1,), 0.95), ((), 0.95), ((0.999,), 0.95)],
)
def test_the_scale_begins_at_the_step_below_the_least(least, low):
    assert Scale.of([matrix(value) for value in least]).low == pytest.approx(low)


def test_from_dark_to_bright_with_ink_that_can_be_read():
    scale = Scale(0.6)
    assert (scale.color(0.6), scale.color(1)) == (DARK, BRIGHT)
    assert (scale.ink(0.6), scale.ink(1)) == ("#ffffff", "#000000")


def test_a_picture_has_a_pixel_a_pair_and_none_of_a_failed_seed():
    kind, content = Scale(0.6).picture(matrix(0.6)).split(",")
    assert kind == "data:image/png;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
    assert pixels.shape == (3, 3, 4)
    found = [["#" + bytes(pixel[:3]).hex() if pixel[3] else "" for pixel in row] for row in pixels]
    assert found == [[BRIGHT, DARK, ""], [DARK, BRIGHT, ""], ["", "", ""]]
