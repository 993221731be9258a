"""The argument CONFIG of the commands: a file's path, `-` for standard input, or nothing for the default run."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from jsdpipe.base.errors import UserError
from jsdpipe.miniature import CONFIG

DEFAULT = "the default configuration"
Config = Annotated[
    str | None,
    typer.Argument(
        help="a YAML file, or - for JSON on standard input", metavar="CONFIG", show_default="the miniature's"
    ),
]


def source(config: str | None) -> tuple[Any, str]:
    """What `jsdpipe.config.run_config` reads, a path or the content of standard input, and its name for messages.

    Raises:
        UserError: the argument is empty, or standard input is not JSON.
    """
    if config is None:
        return CONFIG, DEFAULT
    if not config:
        raise UserError("CONFIG: empty; give the path of a YAML file, or - for JSON on standard input")
    return (_standard_input(), "standard input") if config == "-" else (Path(config), str(Path(config)))


def _standard_input() -> Any:
    try:
        return json.load(sys.stdin)
    except (ValueError, RecursionError):
        raise UserError("standard input: not JSON; give one JSON object") from None
