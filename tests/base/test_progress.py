"""Progress in a log and as a bar: what is done, and the time that is left."""

import io
import re
import sys
import threading

import pytest

from jsdpipe.base import progress as module
from jsdpipe.base.progress import duration, progress, share, times

SAFETY_S = 300  # for a machine that hangs


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (8.13, "8.1 s"),
        (9.96, "10 s"),
        (45.4, "45 s"),
        (59.6, "1 min 0 s"),
        (60, "1 min 0 s"),
        (725.4, "12 min 5 s"),
        (12_000, "3 h 20 min"),
        (86_399.7, "1 day 0 h"),
        (200_000, "2 days 7 h"),
        (5_621_422, "65 days"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("elapsed", "done", "total", "text"),
    [
        (10, 1, 9, "10 s, 1 min 20 s left"),
        (562, 1, 10_000, "9 min 22 s, 65 days left"),
        (5, 0, 10_000, "5.0 s"),
        (60, 0, 1441, "1 min 0 s, more than 1 day 0 h left"),
        (60, 0, 1, "1 min 0 s"),
        (60, 9, 9, "1 min 0 s"),
    ],
)
def test_times(elapsed, done, total, text):
    assert times(elapsed, done, total) == text


def test_pieces_of_work_count_the_same_however_many_steps_they_take(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(module, "LOG_EVERY_S", 0.0)
    with progress("work", 9) as advance:
        for taken in (3, 1, 0):
            with share(advance, 3) as of_piece:
                for _ in range(taken):
                    of_piece()
    # a line a step, 10 s each
    assert capsys.readouterr().err.splitlines() == [
        "work: 1/9, 10 s, 1 min 20 s left",
        "work: 2/9, 20 s, 1 min 10 s left",
        "work: 3/9, 30 s, 1 min 0 s left",
        "work: 4/9, 40 s, 50 s left",
        "work: 6/9, 50 s, 25 s left",
        "work: 9/9, 1 min 0 s",
    ]


class Terminal(io.StringIO):
    """Standard error that is a terminal, or not, and tells when something is written to it."""

    def __init__(self, tty):
        super().__init__()
        self.tty, self.written = tty, threading.Event()

    def isatty(self):
        return self.tty

    def write(self, text):
        super().write(text)
        self.written.set()
        return len(text)


def test_a_long_first_step_is_spoken_of_before_it_is_done(monkeypatch):
    """A step that never ends would never call `advance`."""
    log = Terminal(tty=False)
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(module, "FIRST_S", 0.01)
    with progress("work", 10_000):
        assert log.written.wait(SAFETY_S)
    assert re.match(r"work: 0/10000, .* s, more than .* left", log.getvalue())
    assert module.FIRST_S < 60 < SAFETY_S


def test_a_step_done_in_time_is_not_spoken_of(monkeypatch):
    log = Terminal(tty=False)
    monkeypatch.setattr(sys, "stderr", log)
    before = set(threading.enumerate())
    with progress("work", 2) as advance:
        (timer,) = set(threading.enumerate()) - before
        advance()
    timer.join(SAFETY_S)
    assert not timer.is_alive()
    assert log.getvalue() == ""


def test_a_bar_has_the_same_words(monkeypatch):
    terminal = Terminal(tty=True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with progress("work", 4) as advance:
        advance(3, "loss 1")
    assert re.search(r"3/4.* \d\.\d s, \d\.\d s left.*loss 1", terminal.getvalue())
