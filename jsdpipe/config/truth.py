"""The miniature world's own scenes: as methods of kind `truth`, and as the measure of any method's assets."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from jsdpipe.base.errors import UserError
from jsdpipe.base.fields import Strict
from jsdpipe.config.methods import Bound, Keys, Method, Prompts
from jsdpipe.miniature.grammar import explained, parse

if TYPE_CHECKING:
    from jsdpipe.config.run_config import RunConfig
    from jsdpipe.pipeline.run import Run


class Truth(Method):
    """A method whose meshes are the miniature world's own scenes for the prompts, another one for each seed."""

    functions: ClassVar = {"generate": "jsdpipe.generation.truth:record", "mesh": "jsdpipe.mesh.truth:build"}
    optimizes: ClassVar = False
    closed: ClassVar = True
    ranked: ClassVar = False
    kind: Literal["truth"]
    resolution: Annotated[int, Field(ge=8, le=1024)] = Field(
        default=160, description="distance samples along each edge; fewer miss the thinnest parts, of 0.022 units"
    )

    @property
    def bound(self) -> Bound:
        return "ceiling"

    @property
    def origin(self) -> str:
        return "the miniature world itself"

    @property
    def makes_assets(self) -> bool:
        return False

    def check(self, config: "RunConfig", prompts: Prompts, beyond: Prompts) -> None:
        """Raise `UserError` for a prompt outside the miniature's grammar."""
        check_readable(prompts)

    def depends_on(self, stage: str, run: "Run", name: str) -> Keys:
        if stage == "generate":
            return {}
        return {"seed": run.config.seed, f"methods.{name}": {"resolution": self.resolution}}


class TrueInstances(Strict):
    """The section `truth`: assets are measured against the miniature world's own scenes."""

    instances: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=16, description="true scenes of a prompt, of which the nearest counts; at least the number of seeds"
    )

    def check(self, seeds: int, prompts: Prompts) -> None:
        """Raise `UserError` for a prompt outside the miniature's grammar, or for fewer instances than seeds."""
        check_readable(prompts)
        if self.instances < seeds:
            raise UserError(f"instances: {self.instances} are fewer than the {seeds} seeds; write {seeds} or more")


def check_readable(prompts: Prompts) -> None:
    """Raise `UserError`, with set and line, for a prompt outside the miniature's grammar."""
    for part, of_set in prompts.items():
        for line, prompt in enumerate(of_set, start=1):
            try:
                parse(prompt.text)
            except ValueError as error:
                raise UserError(f"set {part}, line {line}: {error}; write {'; '.join(explained())}") from None


def is_readable(text: str) -> bool:
    """Whether a prompt is in the miniature's grammar."""
    try:
        parse(text)
    except ValueError:
        return False
    return True
