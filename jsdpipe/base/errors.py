"""The errors that are the user's to mend."""

import json
import sys
from typing import Any

ROOM = 60


class UserError(Exception):
    """A mistake in the input: one line that says what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with status 2. What does not print, line breaks in a name
    among it, is escaped as in a Python string: it stays one line whatever it quotes.
    """

    def __init__(self, line: str) -> None:
        super().__init__(printable(line))


def warn(*lines: str | None) -> None:
    """Say on standard error what may be a mistake, and does not stop the work; nothing of what is None."""
    for line in filter(None, lines):
        print(f"jsdpipe: warning: {printable(line)}", file=sys.stderr)


def printable(text: str) -> str:
    """A text on one line: what does not print is escaped as in a Python string."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shown(value: Any) -> str:
    """A value as JSON, cut to what a line has room for."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= ROOM else f"{text[: ROOM - 3]}..."


def first_line(error: Exception) -> str:
    """The first line of a library's error, cut to a readable length."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
