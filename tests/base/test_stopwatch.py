"""The stopwatch: parts within parts count for themselves alone."""

import pytest

from jsdpipe.base import stopwatch
from jsdpipe.base.stopwatch import REST, measured, part


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set."""

    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(stopwatch.time, "perf_counter", clock)
    return clock


def test_a_part_within_another_counts_for_itself_alone(clock):
    with measured("cpu") as watch:
        clock.now = 1
        with part("render"):
            clock.now = 3
            with part("U-Net"):
                clock.now = 7
            clock.now = 15
        clock.now = 31
    assert watch.seconds["render"] == 2 + 8 and watch.seconds["U-Net"] == 4 and watch.seconds[REST] == 1 + 16
    assert watch.total == 31 == sum(watch.seconds.values())
    assert watch.begun == {"render": 1, "U-Net": 1}


def test_what_was_before_a_restart_is_forgotten(clock):
    with measured("cpu") as watch:
        with part("render"):
            clock.now = 2
            watch.restart()
            clock.now = 5
        with part("render"):
            clock.now = 6
    assert watch.seconds["render"] == 4 == watch.total and watch.begun["render"] == 1


def test_without_a_watch_parts_do_nothing(clock):
    with part("render"):
        clock.now = 2
    with measured("cpu") as watch:
        pass
    assert not any(watch.seconds.values())


def test_the_watch_stops_when_the_work_fails(clock):
    with pytest.raises(KeyError), measured("cpu") as watch, part("encode"):
        clock.now = 2
        raise KeyError
    with part("encode"):
        clock.now = 9
    assert watch.seconds["encode"] == 2 == watch.total
