"""The argument CONFIG of the commands: a file's path, or `-` for standard input."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from jsdpipe.errors import UserError

Config = Annotated[str, typer.Argument(help="a YAML file, or - for JSON on standard input", metavar="CONFIG")]


def source(config: str) -> tuple[Any, str]:
    """What `jsdpipe.config` reads, a path or the content of standard input, and how errors call it.

    `UserError` if the argument is empty, or standard input no JSON.
    """
    if not config:
        raise UserError("CONFIG: empty; give the path of a YAML file, or - for JSON on standard input")
    return (_standard_input(), "standard input") if config == "-" else (Path(config), str(Path(config)))


def _standard_input() -> Any:
    try:
        return json.load(sys.stdin)
    except (ValueError, RecursionError):
        raise UserError("standard input: not JSON; give one JSON object") from None
