"""Durations as people read them."""

import pytest

from jsdpipe.report.timing import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (8.13, "8.1 s"),
        (59.98, "1 min 0 s"),
        (60, "1 min 0 s"),
        (725.4, "12 min 5 s"),
        (12_000, "3 h 20 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text
