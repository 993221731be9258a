"""Texts with placeholders that stand for an asset: `meshes/{set}/{line:03d}/seed{seed}.glb`."""

import glob
import shlex
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

from jsdpipe.base.validation import nearest
from jsdpipe.config.prompts import Prompt

OUT = "out"  # of commands alone: where the mesh is to be written


def values(part: str, line: int, prompt: Prompt, seed: int) -> dict[str, Any]:
    """What the placeholders stand for, of the asset of a seed of the prompt in line `line`, from 1, of a set's file."""
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
    """As `filled`, each value quoted, so that to a shell it is one word of data."""
    return _Quoting(shlex.quote).vformat(pattern, (), values)


def located(pattern: str, values: Mapping[str, Any]) -> str:
    """As `filled`; if the pattern has a `*`, the name of the one file that it matches, if it is one."""
    found = glob.glob(_Quoting(glob.escape).vformat(pattern, (), values)) if "*" in pattern else []  # noqa: PTH207
    return found[0] if len(found) == 1 else filled(pattern, values)


class _Quoting(Formatter):
    def __init__(self, quote: Callable[[str], str]) -> None:
        self._quote = quote

    def format_field(self, value: Any, format_spec: str) -> str:
        return self._quote(super().format_field(value, format_spec))


def check_pattern(pattern: str, also: tuple[str, ...] = ()) -> str:
    """The pattern; ValueError if it has a placeholder that is none of `SAMPLE` and `also`, or is not well formed."""
    known = [*SAMPLE, *also]
    for _, name, _, conversion in Formatter().parse(pattern):
        if name is not None and (name not in known or conversion):
            raise ValueError(f"there is no placeholder {{{name}}}; {nearest(name, known, 'there are')}")
    filled(pattern, SAMPLE | dict.fromkeys(also, ""))  # the formats after a colon
    return pattern
