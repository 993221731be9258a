"""Methods of kind `external`: their meshes are existing files, or a command writes them."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
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
    from jsdpipe.config.run_config import RunConfig
    from jsdpipe.pipeline.layout import Shard
    from jsdpipe.pipeline.run import Run


def _mesh_name(name: str) -> str:
    if PurePath(name).suffix.lower() not in SUFFIXES:
        raise ValueError(f"must end in one of {', '.join(SUFFIXES)}")
    return name


def _one_name(name: str) -> str:
    if PurePath(name).name != name:
        raise ValueError("must be a file name, without a folder")
    return name


def _command(command: str) -> str:
    if f"{{{OUT}}}" not in check_pattern(command, (OUT,)):
        raise ValueError(f"must contain {{{OUT}}}, the path to which the command writes the mesh")
    return command


class External(Method):
    """A method whose meshes are existing files, or are written by a command."""

    functions: ClassVar = {"generate": "jsdpipe.generation.external:collect", "mesh": "jsdpipe.mesh.external:convert"}
    optimizes: ClassVar = False
    closed: ClassVar = False
    kind: Literal["external"]
    path: Annotated[NonEmpty, AfterValidator(check_pattern), AfterValidator(_mesh_name)] | None = Field(
        default=None, description="path of an asset's mesh, with placeholders; a * must match exactly one file"
    )
    command: Annotated[NonEmpty, AfterValidator(_command)] | None = Field(
        default=None, description="bash command that writes an asset's mesh to {out}, with placeholders"
    )
    cwd: NonEmpty = Field(default=".", description="the folder in which the command runs")
    output: Annotated[NonEmpty, AfterValidator(_one_name), AfterValidator(_mesh_name)] = Field(
        default="output.glb", description="file name of {out}; its suffix is the format of the mesh"
    )
    timeout_s: Seconds = Field(default=3600.0, description="seconds after which a command is stopped")
    up: Up | None = Field(default=None, description="upward axis of the files; default: y for glTF, z for others")
    front: Front | None = Field(default=None, description="front axis; default: z if y is up, x if z is up")
    vertex_colors: VertexColors = Field(
        default="auto",
        description="color space of glTF's COLOR_0; auto = sRGB for exporters known to write it, else linear",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.command is None):
            raise ValueError("needs either a path or a command")
        for key in ("cwd", "output", "timeout_s"):
            if self.path is not None and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} applies only to a command; remove it")
        up = self.up or up_of(PurePath(self.path or self.output).suffix.lower())
        to_world(up, self.front)
        return self

    @property
    def origin(self) -> str:
        return self.path or self.command or ""

    @property
    def makes_assets(self) -> bool:
        return self.command is not None

    def check(self, config: "RunConfig", prompts: Prompts, beyond: Prompts) -> None:
        """Raise `UserError` if two assets share a file or command, or if no mesh file or the folder `cwd` exists."""
        asset_of: dict[str, dict[str, Any]] = {}  # by filled pattern
        asset_of_file: dict[
            str, dict[str, Any]
        ] = {}  # by existing file, because patterns with a `*` may match the same
        for part, of_set in prompts.items():
            for (line, prompt), seed in product(enumerate(of_set, start=1), config.seeds):
                asset = values(part, line, prompt, seed)
                text = filled(self.path, asset) if self.path else filled(self.command or "", asset | {OUT: ""})
                if (other := asset_of.setdefault(text, asset)) is not asset:
                    raise UserError(f"{'path' if self.path else 'command'}: {_ambiguity(other, asset)}")
                file = located(self.path, asset) if self.path else ""
                if os.path.isfile(file) and (other := asset_of_file.setdefault(file, asset)) is not asset:  # noqa: PTH113
                    raise UserError(f"path: {file} is {_ambiguity(other, asset)}")
        if self.path and not asset_of_file:
            where = next(iter(asset_of))
            raise UserError(
                f"path: none of the {len(asset_of)} meshes exists (the first would be {where}); correct the path"
            )
        if not Path(self.cwd).is_dir():
            raise UserError(f"cwd: {self.cwd}: no such folder; correct the path")

    def lacks(self) -> str | None:
        # if the first word has a placeholder, a quote or an assignment, only bash can resolve it
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
        """The file of an asset's mesh, whether it exists or not."""
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
        """The mesh files and the files that they name; files that a command writes are results, not sources."""
        return [file for mesh in self.mesh_paths(run, shard) for file in files_of(mesh)] if self.path else []


def _values(run: "Run", shard: "Shard", prompt: Prompt, seed: int) -> dict[str, Any]:
    # Prompt files have no empty lines, so a prompt's number is its line.
    return values(shard.set, run.prompts[shard.set].index(prompt) + 1, prompt, seed)


def _known(word: str, cwd: str) -> bool:
    """Whether the bash of a job, whose PATH starts with this Python's environment, finds a command in a folder."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    query = ["bash", "-c", f"type -- {word}"]
    return subprocess.run(query, cwd=cwd, env={**os.environ, "PATH": path}, capture_output=True).returncode == 0


def _ambiguity(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    if a["set"] != b["set"]:
        return f"the same for the sets {a['set']} and {b['set']}; add {{set}}"
    if a["prompt"] != b["prompt"]:
        return f"the same for {shown(a['prompt'])} and {shown(b['prompt'])}; add {{prompt_id}} or a similar placeholder"
    return f"the same for the seeds {a['seed']} and {b['seed']}; add {{seed}}"
