"""What a configuration says of a method whose meshes come from elsewhere."""

from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jsdpipe.base.fields import NonEmpty, Seconds, Strict
from jsdpipe.config.axes import SUFFIXES, Front, Up, VertexColors, to_world, up_of
from jsdpipe.config.path_patterns import OUT, check_pattern


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


class External(Strict):
    """A method whose meshes are files, or are made by a command."""

    kind: Literal["external"]
    label: str | None = None
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
