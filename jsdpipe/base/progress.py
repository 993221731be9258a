"""Progress of long work, with the time left: a bar on a terminal, else a log line every 20 s."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """A function to call when steps are done, with an optional note to show."""

    def __call__(self, steps: int = 1, note: str = "") -> None: ...


LOG_EVERY_S = 20.0
FIRST_S = 40.0  # when a line is logged even if no step is done, so that an estimate appears within a minute


def unseen(steps: int = 1, note: str = "") -> None:
    """An `Advance` that shows nothing."""


@contextmanager
def progress(description: str, total: int, start: int = 0) -> Iterator[Advance]:
    """Show progress on standard error; yields a function to call when steps are done.

    Args:
        description: what the work is.
        total: number of steps.
        start: steps done before the work was resumed; they do not count toward the speed.
    """
    if sys.stderr.isatty():
        yield from _bar(description, total, start)
    else:
        yield from _log(description, total, start)


@contextmanager
def share(advance: Advance, steps: int) -> Iterator[Advance]:
    """Yield an `Advance` for a part of the work that counts as `steps` at its end, even if it takes fewer."""
    left = steps

    def of_share(steps: int = 1, note: str = "") -> None:
        nonlocal left
        left -= steps
        advance(steps, note)

    yield of_share
    if left:
        advance(left)


def duration(seconds: float) -> str:
    """A duration as text, e.g. "8.1 s", "45 s", "12 min 5 s", "3 h 20 min", "2 days 7 h", "65 days"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if days < 10 else "")
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def times(elapsed: float, done: int, total: int) -> str:
    """The elapsed time of `done` of `total` steps as text, with the time left if all steps take equally long.

    During a long first step, the time left is a lower bound: each other step takes at least the time so far.
    """
    left = ""
    if 0 < done < total:
        left = f", {duration(elapsed / done * (total - done))} left"
    elif not done and elapsed >= FIRST_S and total > 1:
        left = f", more than {duration(elapsed * (total - 1))} left"
    return duration(elapsed) + left


def _bar(description: str, total: int, start: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Times(ProgressColumn):
        """The same times as in the log; rich's own estimate uses the last 30 s, and fails if a step takes longer."""

        def render(self, task: Task) -> Text:
            return Text(times(task.elapsed or 0.0, round(task.completed) - start, total - start))

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Times(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total, completed=start, note="")
        yield lambda steps=1, note="": bar.update(task, advance=steps, note=note)


def _log(description: str, total: int, start: int) -> Iterator[Advance]:
    began = last = time.monotonic()
    done = start

    def log(now: float, note: str = "") -> None:
        taken = times(now - began, done - start, total - start)
        print(f"{description}: {done}/{total}, {taken} {note}".rstrip(), file=sys.stderr, flush=True)

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal done, last
        first.cancel()
        done += steps
        now = time.monotonic()
        if now - last < LOG_EVERY_S and done < total:
            return
        last = now
        log(now, note)

    first = threading.Timer(FIRST_S, lambda: log(time.monotonic()))
    first.daemon = True
    first.start()
    try:
        yield advance
    finally:
        first.cancel()
