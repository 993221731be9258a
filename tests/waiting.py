"""Waiting for a state, however slow the machine is."""

import time
from collections.abc import Callable

LONG_S = 600.0  # a safety net: nothing takes so long


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
