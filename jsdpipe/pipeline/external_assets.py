"""Where the meshes of an external method are, asset by asset."""

import os
from pathlib import Path
from typing import Any

from jsdpipe.base.errors import UserError
from jsdpipe.config.external import External
from jsdpipe.config.path_patterns import OUT, filled_for_a_shell, located, values
from jsdpipe.config.prompts import Prompt
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.mesh_references import found, named_by
from jsdpipe.pipeline.run import Run


def mesh_path(run: Run, shard: Shard, prompt: Prompt, seed: int) -> Path:
    """The file of an asset's mesh, whether it is there or not."""
    method = _of(run, shard)
    if method.path:
        return Path(located(method.path, _values(run, shard, prompt, seed)))
    return run.layout.external(shard.method, shard.set, prompt.id, seed) / method.output


def mesh_paths(run: Run, shard: Shard) -> list[Path]:
    """The files of a shard's meshes, in the order of its assets."""
    return [mesh_path(run, shard, prompt, seed) for prompt, seed in shard.assets()]


def command(run: Run, shard: Shard, prompt: Prompt, seed: int, out: str) -> str:
    """The command for bash that makes an asset's mesh and writes it to `out`."""
    return filled_for_a_shell(_of(run, shard).command or "", _values(run, shard, prompt, seed) | {OUT: out})


def files_of(mesh: Path) -> list[Path]:
    """The files that a mesh is read from and that are there: its own, then those that it names (materials, images).

    `UserError` if one cannot be read.
    """
    if not os.path.isfile(mesh):  # noqa: PTH113, which takes any name
        return []
    files = [mesh]
    for file in files:  # grows meanwhile: an OBJ names materials, which name images
        try:
            names = list(named_by(file))
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror}); give yourself the right to") from None
        paths = (found(file.parent, name) for name in names)
        files += [path for path in dict.fromkeys(paths) if path and path not in files]
    return files


def _of(run: Run, shard: Shard) -> External:
    method = run.config.methods[shard.method]
    assert isinstance(method, External)
    return method


def _values(run: Run, shard: Shard, prompt: Prompt, seed: int) -> dict[str, Any]:
    # Prompt files have no empty line, so that a prompt's number is its line.
    return values(shard.set, run.prompts[shard.set].index(prompt) + 1, prompt, seed)
