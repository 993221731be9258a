"""Whether a configuration's external method can be: each asset has its own mesh, and there are meshes at all."""

import os
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from jsdpipe.base.errors import UserError, shown
from jsdpipe.config.external import External
from jsdpipe.config.path_patterns import OUT, filled, located, values
from jsdpipe.config.prompts import Prompt


def check(method: External, prompts: Mapping[str, Sequence[Prompt]], seeds: Sequence[int]) -> None:
    """Raise `UserError` if two assets would have one file or command, or no file is there, or the command's folder."""
    first: dict[str, dict[str, Any]] = {}
    there: dict[str, dict[str, Any]] = {}  # the same of the files that patterns with a `*` match
    for part, of_set in prompts.items():
        for (line, prompt), seed in product(enumerate(of_set, start=1), seeds):
            of = values(part, line, prompt, seed)
            text = filled(method.path, of) if method.path else filled(method.command or "", of | {OUT: ""})
            if (other := first.setdefault(text, of)) is not of:
                raise UserError(f"{'path' if method.path else 'command'}: {_cannot_tell(other, of)}")
            file = located(method.path, of) if method.path else ""
            if os.path.isfile(file) and (other := there.setdefault(file, of)) is not of:  # noqa: PTH113
                raise UserError(f"path: {file} is {_cannot_tell(other, of)}")
    if method.path and not there:
        where = next(iter(first))
        raise UserError(f"path: none of the {len(first)} meshes is there, the first would be {where}; correct the path")
    if not Path(method.cwd).is_dir():
        raise UserError(f"cwd: {method.cwd}: no such folder; correct the path")


def _cannot_tell(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    if one["set"] != other["set"]:
        return f"the same for the sets {one['set']} and {other['set']}; add {{set}}"
    if one["prompt"] != other["prompt"]:
        return f"the same for {shown(one['prompt'])} and {shown(other['prompt'])}; add {{prompt_id}}, or the like"
    return f"the same for the seeds {one['seed']} and {other['seed']}; add {{seed}}"
