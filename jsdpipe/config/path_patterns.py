"""Paths and commands with placeholders for an asset, such as `meshes/{set}/{line:03d}/seed{seed}.glb`."""

import glob
import shlex
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

from jsdpipe.base.validation import nearest
from jsdpipe.config.prompts import Prompt

OUT = "out"  # only in commands: the path to which the mesh is written


def values(part: str, line: int, prompt: Prompt, seed: int) -> dict[str, Any]:
    """The values of the placeholders for an asset; `part` is the set, `line` the prompt's line (from 1) in its file."""
    return {
        "set": part,
        "prompt_id": prompt.id,
        "slug": prompt.id.rpartition("-")[0],  # the id without the hash
        "prompt": prompt.text,
        "underscored": prompt.text.replace(" ", "_"),  # as threestudio names its folders
        "line": line,
        "index": line - 1,
        "seed": seed,
    }


SAMPLE = values("set", 1, Prompt("a-0", "a"), 0)


def filled(pattern: str, values: Mapping[str, Any]) -> str:
    """A pattern with its placeholders replaced; `{{` and `}}` are braces."""
    return pattern.format_map(values)


def filled_for_a_shell(pattern: str, values: Mapping[str, Any]) -> str:
    """As `filled`, with each value quoted for a shell, so that it is one word."""
    return _Quoting(shlex.quote).vformat(pattern, (), values)


def located(pattern: str, values: Mapping[str, Any]) -> str:
    """As `filled`; if the pattern has a `*` and matches exactly one file, that file."""
    files = glob.glob(_Quoting(glob.escape).vformat(pattern, (), values)) if "*" in pattern else []  # noqa: PTH207
    return files[0] if len(files) == 1 else filled(pattern, values)


class _Quoting(Formatter):
    def __init__(self, quote: Callable[[str], str]) -> None:
        self._quote = quote

    def format_field(self, value: Any, format_spec: str) -> str:
        return self._quote(super().format_field(value, format_spec))


def check_pattern(pattern: str, also: tuple[str, ...] = ()) -> str:
    """The pattern; raises ValueError if it is malformed, or has a placeholder that is not in `SAMPLE` or `also`."""
    known = [*SAMPLE, *also]
    for _, name, _, conversion in Formatter().parse(pattern):
        if name is not None and (name not in known or conversion):
            raise ValueError(f"there is no placeholder {{{name}}}; {nearest(name, known, 'there are')}")
    filled(pattern, SAMPLE | dict.fromkeys(also, ""))  # raises if a format after a colon is invalid
    return pattern
