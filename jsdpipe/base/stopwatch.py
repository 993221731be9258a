"""Where the time of long work goes, by the names that it gives its parts, for whoever measures it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from jsdpipe.base.device import is_accelerator

PARTS = ("render", "encode", "U-Net", "backward", "optimizer")  # of a step of generation
REST = "rest"


class Stopwatch:
    """Seconds by part, and how often it began; those of a part within another one count for itself alone."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.wait = wait
        self.restart()

    def restart(self) -> None:
        """Forget the time so far; the parts that are open go on."""
        self.seconds = dict.fromkeys((*PARTS, REST), 0.0)
        self.begun: Counter[str] = Counter()
        self.wait()
        self.began = self.last = time.perf_counter()

    @property
    def total(self) -> float:
        """All seconds up to the last change of part, also those of no part."""
        return self.last - self.began

    def turn(self, part: str) -> None:
        """Credit a part with the time since the last change."""
        self.wait()
        now = time.perf_counter()
        self.seconds[part] += now - self.last
        self.last = now


_watch: Stopwatch | None = None
_open = [REST]


@contextmanager
def part(name: str) -> Iterator[None]:
    """The time within counts for a part, if `measured` is on."""
    if _watch is None:
        yield
        return
    _watch.turn(_open[-1])
    _watch.begun[name] += 1
    _open.append(name)
    try:
        yield
    finally:
        _watch.turn(_open.pop())


@contextmanager
def measured(device: str) -> Iterator[Stopwatch]:
    """Measure the parts of what is done within; at each change of part the host waits for an accelerator."""
    global _watch
    watch = _watch = Stopwatch(torch.accelerator.synchronize if is_accelerator(device) else lambda: None)
    try:
        yield watch
    finally:
        watch.turn(_open[-1])
        _watch = None
