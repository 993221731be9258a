"""A method whose meshes come from elsewhere: files that are there, or what a command writes."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jsdpipe.base.axes import SUFFIXES, Front, Up, VertexColors, to_world, up_of
from jsdpipe.base.errors import UserError, shown
from jsdpipe.base.fields import NonEmpty, Seconds
from jsdpipe.base.mesh_references import files_of
from jsdpipe.config.methods import Keys, Method, Prompts
from jsdpipe.config.path_patterns import OUT, check_pattern, filled, filled_for_a_shell, located, values
from jsdpipe.config.prompts import Prompt

if TYPE_CHECKING:
    from jsdpipe.pipeline.layout import Shard
    from jsdpipe.pipeline.run import Run


def _mesh_name(name: str) -> str:
    if PurePath(name).suffix.lower() not in SUFFIXES:
        raise ValueError(f"must end in one of {', '.join(SUFFIXES)}")
    return name


def _one_name(name: str) -> str:
    if PurePath(name).name != name:
        raise ValueError("must be a file's name, without a folder")
    return name


def _command(command: str) -> str:
    if f"{{{OUT}}}" not in check_pattern(command, (OUT,)):
        raise ValueError(f"must say with {{{OUT}}} where the mesh is to be written")
    return command


class External(Method):
    """A method whose meshes are files, or are made by a command."""

    functions: ClassVar = {"generate": "jsdpipe.generation.external:collect", "mesh": "jsdpipe.mesh.external:convert"}
    optimizes: ClassVar = False
    closed: ClassVar = False
    kind: Literal["external"]
    path: Annotated[NonEmpty, AfterValidator(check_pattern), AfterValidator(_mesh_name)] | None = Field(
        default=None, description="of an asset's mesh, with placeholders, perhaps with a * that matches one file"
    )
    command: Annotated[NonEmpty, AfterValidator(_command)] | None = Field(
        default=None, description="that writes an asset's mesh to {out}, for bash, with placeholders"
    )
    cwd: NonEmpty = Field(default=".", description="the folder in which the command runs")
    output: Annotated[NonEmpty, AfterValidator(_one_name), AfterValidator(_mesh_name)] = Field(
        default="output.glb", description="the name of {out}, whose ending says what kind of mesh the command writes"
    )
    timeout_s: Seconds = Field(default=3600.0, description="after which a command is stopped")
    up: Up | None = Field(default=None, description="the files' upward axis; without: y of glTF, z of others")
    front: Front | None = Field(default=None, description="their front; without: z where y is up, x where z is")
    vertex_colors: VertexColors = Field(
        default="auto", description="what glTF's COLOR_0 is; auto = sRGB of programs that store that, else linear"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.command is None):
            raise ValueError("give either a path or a command")
        for key in ("cwd", "output", "timeout_s"):
            if self.path is not None and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} belongs to a command; take it out")
        up = self.up or up_of(PurePath(self.path or self.output).suffix.lower())
        to_world(up, self.front)
        return self

    def check(self, prompts: Prompts, seeds: Sequence[int]) -> None:
        """Raise `UserError` if two assets have the same file or command, or if no file or no folder is there."""
        first: dict[str, dict[str, Any]] = {}
        there: dict[str, dict[str, Any]] = {}  # the same of the files that patterns with a `*` match
        for part, of_set in prompts.items():
            for (line, prompt), seed in product(enumerate(of_set, start=1), seeds):
                of = values(part, line, prompt, seed)
                text = filled(self.path, of) if self.path else filled(self.command or "", of | {OUT: ""})
                if (other := first.setdefault(text, of)) is not of:
                    raise UserError(f"{'path' if self.path else 'command'}: {_cannot_tell(other, of)}")
                file = located(self.path, of) if self.path else ""
                if os.path.isfile(file) and (other := there.setdefault(file, of)) is not of:  # noqa: PTH113
                    raise UserError(f"path: {file} is {_cannot_tell(other, of)}")
        if self.path and not there:
            where = next(iter(first))
            raise UserError(
                f"path: none of the {len(first)} meshes is there, the first would be {where}; correct the path"
            )
        if not Path(self.cwd).is_dir():
            raise UserError(f"cwd: {self.cwd}: no such folder; correct the path")

    def lacks(self) -> str | None:
        # with a placeholder, a quote or an assignment in the first word, only bash can tell
        word = re.match(r"\s*([\w./+-]+)(?!\S)", self.command or "")
        if word is None or _known(word[1], self.cwd):
            return None
        return f"command: {word[1]}: no such command here; install it, or correct its name or path"

    def depends_on(self, stage: str, run: "Run", name: str) -> Keys:
        reading = ("up", "front", "vertex_colors")
        if stage == "mesh":
            return {
                f"methods.{name}": {key: getattr(self, key) for key in reading},
                "mesh": {"missing_material": run.config.mesh.missing_material},
            }
        return {f"methods.{name}": self.model_dump(exclude={"label", *reading})}

    def mesh_path(self, run: "Run", shard: "Shard", prompt: Prompt, seed: int) -> Path:
        """The file of an asset's mesh, whether it is there or not."""
        if self.path:
            return Path(located(self.path, _values(run, shard, prompt, seed)))
        return run.layout.external(shard.key(prompt.id, seed)) / self.output

    def mesh_paths(self, run: "Run", shard: "Shard") -> list[Path]:
        """The files of a shard's meshes, in the order of its assets."""
        return [self.mesh_path(run, shard, prompt, seed) for prompt, seed in shard.assets()]

    def command_line(self, run: "Run", shard: "Shard", prompt: Prompt, seed: int, out: str) -> str:
        """The command for bash that makes an asset's mesh and writes it to `out`."""
        return filled_for_a_shell(self.command or "", _values(run, shard, prompt, seed) | {OUT: out})

    def sources(self, run: "Run", shard: "Shard") -> list[Path]:
        """The meshes' files and what they name; those that a command writes are results, not sources."""
        return [file for mesh in self.mesh_paths(run, shard) for file in files_of(mesh)] if self.path else []


def _values(run: "Run", shard: "Shard", prompt: Prompt, seed: int) -> dict[str, Any]:
    # Prompt files have no empty line, so that a prompt's number is its line.
    return values(shard.set, run.prompts[shard.set].index(prompt) + 1, prompt, seed)


def _known(word: str, cwd: str) -> bool:
    """Whether a job's bash, which has this Python's environment in its path, knows a command in a folder."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    asked = ["bash", "-c", f"type -- {word}"]
    return subprocess.run(asked, cwd=cwd, env={**os.environ, "PATH": path}, capture_output=True).returncode == 0


def _cannot_tell(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    if one["set"] != other["set"]:
        return f"the same for the sets {one['set']} and {other['set']}; add {{set}}"
    if one["prompt"] != other["prompt"]:
        return f"the same for {shown(one['prompt'])} and {shown(other['prompt'])}; add {{prompt_id}}, or the like"
    return f"the same for the seeds {one['seed']} and {other['seed']}; add {{seed}}"
