"""Methods of kind `control`: another method's meshes, made wrong in a known way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from jsdpipe.base.errors import UserError, shown
from jsdpipe.base.fields import NonEmpty
from jsdpipe.base.validation import nearest
from jsdpipe.config.methods import Bound, Keys, Method, Prompts
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.truth import Truth, is_readable
from jsdpipe.config.wrong_prompts import wrong_prompt
from jsdpipe.miniature.grammar import parse

if TYPE_CHECKING:
    from jsdpipe.config.run_config import RunConfig
    from jsdpipe.pipeline.layout import AssetKey, Shard
    from jsdpipe.pipeline.run import Run


@dataclass(frozen=True)
class Dose:
    """What the dose of a damage is: its unit, with the sign behind a number, and its bounds; it is never 0."""

    unit: str
    low: float
    high: float
    sign: str = ""


DEVIATION = "a standard deviation as a share of the mesh's extent"
DOSES = {
    "blurred": Dose(DEVIATION, 0, 0.5),
    "smoothed": Dose(DEVIATION, 0, 0.5),
    "saturated": Dose("how much is added to colors' distance from grey, as a share of it", -1, 4),
    "decimated": Dose("the share of the faces that is removed", 0, 0.999),
    "holes": Dose("the share of the area that is removed", 0, 0.95),
    "tilted": Dose("an angle in degrees", -180, 180, "°"),
    "hue-turned": Dose("an angle in degrees", -180, 180, "°"),
}


class Control(Method):
    """A method whose meshes are another one's, made wrong."""

    functions: ClassVar = {"generate": "jsdpipe.generation.control:record", "mesh": "jsdpipe.mesh.control:convert"}
    optimizes: ClassVar = False
    closed: ClassVar = False
    ranked: ClassVar = False
    kind: Literal["control"]
    of: NonEmpty
    control: Literal[
        "wrong-prompt",
        "black",
        "left-out",
        "two-faces",
        "blurred",
        "smoothed",
        "saturated",
        "decimated",
        "holes",
        "tilted",
        "hue-turned",
    ]
    dose: Annotated[float, Field(ge=-1000, le=1000)] | None = Field(default=None, description="DOSES have its bounds")

    @property
    def bound(self) -> Bound | None:
        return "floor" if self.control == "wrong-prompt" else None

    @property
    def origin(self) -> str:
        dose = "" if self.dose is None else f" ({self.dose:g}{DOSES[self.control].sign})"
        return f"{self.control}{dose} of {self.of}"

    @property
    def makes_assets(self) -> bool:
        return False

    def check(self, config: "RunConfig", prompts: Prompts, beyond: Prompts) -> None:
        """Raise `UserError` if there is no such method, it has no parts, a dose is wrong, or a prompt no wrong one."""
        if self.of not in config.methods:
            raise UserError(f"of: no method {shown(self.of)}; {nearest(self.of, list(config.methods), 'there are')}")
        if isinstance(config.methods[self.of], Control):
            raise UserError(f"of: {self.of} is a control; name a method that is none")
        if self.control == "left-out" and not isinstance(config.methods[self.of], Truth):
            raise UserError(f"of: {self.of} has no known parts to leave out; name a method of kind truth")
        self._check_dose()
        if self.control == "wrong-prompt":
            candidates = self._candidates(config.methods, prompts, beyond)
            for part, of_set in prompts.items():
                for line, prompt in enumerate(of_set, start=1):
                    if wrong_prompt(part, prompt, candidates) is None:
                        raise UserError(
                            f"set {part}, line {line}: every other prompt has a kind, a color or a word in common with "
                            f"{shown(prompt.text)}; add prompts, or leave this control out"
                        )

    def _check_dose(self) -> None:
        if (known := DOSES.get(self.control)) is None:
            if self.dose is not None:
                raise UserError(f"dose: {self.control} has none; remove it")
        elif self.dose is None or self.dose == 0 or not known.low <= self.dose <= known.high:
            fault = "missing" if self.dose is None else f"{self.dose:g} is not one of {self.control}"
            raise UserError(f"dose: {fault}; give {known.unit}, from {known.low:g} to {known.high:g}, but not 0")

    def depends_on(self, stage: str, run: "Run", name: str) -> Keys:
        if stage == "mesh":
            seed = {"seed": run.config.seed} if self.control == "holes" else {}
            return {**seed, f"methods.{name}": {"control": self.control, "dose": self.dose}}
        of = run.config.methods[self.of]
        placed = ((part, prompt) for part, of_set in run.prompts.items() for prompt in of_set)
        shows = {f"{part}: {prompt.text}": self.shown_prompt(run, part, prompt)[1].text for part, prompt in placed}
        return {
            **of.depends_on("generate", run, self.of),
            **of.depends_on("mesh", run, self.of),
            f"methods.{name}": {"of": self.of, "shows": shows},
        }

    def made_from(self, run: "Run", shard: "Shard") -> list["Shard"]:
        if self.draws_truth(run):
            return []
        keys = (self.shown_asset(run, shard, prompt, seed) for prompt, seed in shard.assets())
        return list(dict.fromkeys(run.shard_of(key) for key in keys))

    def draws_truth(self, run: "Run") -> bool:
        """Whether it draws the truth of other prompts or without a part, so that there are no meshes to read."""
        return self.control in ("wrong-prompt", "left-out") and isinstance(run.config.methods[self.of], Truth)

    def spares(self, prompt: Prompt) -> bool:
        """Whether it has nothing to make wrong in a prompt's assets: no part to leave out of a single thing."""
        if self.control != "left-out":
            return False
        meant = parse(prompt.text)
        return not (meant.relation or meant.surrounding)

    def shown_prompt(self, run: "Run", part: str, prompt: Prompt) -> tuple[str, Prompt]:
        """The set and the prompt of what is shown for one of the run's prompts."""
        if self.control != "wrong-prompt":
            return part, prompt
        found = wrong_prompt(part, prompt, self._candidates(run.config.methods, run.prompts, run.beyond))
        assert found is not None  # see `check`
        return found

    def shown_asset(self, run: "Run", shard: "Shard", prompt: Prompt, seed: int) -> "AssetKey":
        """The method's asset that is shown for one of a shard."""
        part, shown_prompt = self.shown_prompt(run, shard.set, prompt)
        return shard.key(shown_prompt.id, seed)._replace(method=self.of, set=part)

    def _candidates(self, methods: Mapping[str, Method], prompts: Prompts, beyond: Prompts) -> Prompts:
        """The prompts to choose from: the run's, for which there are meshes; of the truth, all that it can show."""
        if not isinstance(methods[self.of], Truth):
            return prompts
        whole = {part: [*of_set, *beyond.get(part, ())] for part, of_set in prompts.items()}
        return {part: [prompt for prompt in of_set if is_readable(prompt.text)] for part, of_set in whole.items()}
