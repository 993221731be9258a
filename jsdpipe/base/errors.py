"""Errors that the user can fix, and how text is shown on one line."""

import json
import sys
from collections.abc import Callable
from typing import Any

ROOM = 60


class UserError(Exception):
    """A mistake in the input: one line that says what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with status 2. Non-printable characters, such as line
    breaks in a file name, are escaped as in a Python string, so that the message stays on one line.
    """

    def __init__(self, line: str) -> None:
        super().__init__(printable(line))


def one_line(work: Callable[[], None]) -> Callable[[], None]:
    """The same work; a user's mistake in it is one line on standard error and exit status 2."""

    def run() -> None:
        try:
            work()
        except UserError as error:
            print(f"jsdpipe: error: {error}", file=sys.stderr)
            sys.exit(2)

    return run


def warn(*lines: str | None) -> None:
    """Print warnings on standard error; None is skipped."""
    for line in filter(None, lines):
        print(f"jsdpipe: warning: {printable(line)}", file=sys.stderr)


def printable(text: str) -> str:
    """A text on one line: non-printable characters are escaped as in a Python string."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shown(value: Any) -> str:
    """A value as JSON, cut to at most `ROOM` characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= ROOM else f"{text[: ROOM - 3]}..."


def first_line(error: Exception) -> str:
    """The first line of a library's error, cut to a readable length."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
