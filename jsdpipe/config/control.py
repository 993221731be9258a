"""Methods of kind `control`: another method's meshes, made wrong in a known way."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from jsdpipe.base.errors import UserError, shown
from jsdpipe.base.fields import NonEmpty
from jsdpipe.base.validation import nearest
from jsdpipe.config.methods import Bound, Keys, Method, Prompts
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.truth import Truth, is_readable
from jsdpipe.config.wrong_prompts import wrong_prompt

if TYPE_CHECKING:
    from jsdpipe.config.run_config import RunConfig
    from jsdpipe.pipeline.layout import AssetKey, Shard
    from jsdpipe.pipeline.run import Run


class Control(Method):
    """A method whose meshes are another one's, made wrong."""

    functions: ClassVar = {"generate": "jsdpipe.generation.control:record", "mesh": "jsdpipe.mesh.control:convert"}
    optimizes: ClassVar = False
    closed: ClassVar = False
    ranked: ClassVar = False
    kind: Literal["control"]
    of: NonEmpty
    control: Literal["wrong-prompt", "black"]

    @property
    def bound(self) -> Bound | None:
        return "floor" if self.control == "wrong-prompt" else None

    @property
    def origin(self) -> str:
        return f"{self.control} of {self.of}"

    @property
    def makes_assets(self) -> bool:
        return False

    def check(self, config: "RunConfig", prompts: Prompts, beyond: Prompts) -> None:
        """Raise `UserError` if there is no such method, or if a prompt has no wrong one."""
        if self.of not in config.methods:
            raise UserError(f"of: no method {shown(self.of)}; {nearest(self.of, list(config.methods), 'there are')}")
        if isinstance(config.methods[self.of], Control):
            raise UserError(f"of: {self.of} is a control; name a method that is none")
        if self.control == "wrong-prompt":
            candidates = self._candidates(config.methods, prompts, beyond)
            for part, of_set in prompts.items():
                for line, prompt in enumerate(of_set, start=1):
                    if wrong_prompt(part, prompt, candidates) is None:
                        raise UserError(
                            f"set {part}, line {line}: every other prompt has a kind, a color or a word in common with "
                            f"{shown(prompt.text)}; add prompts, or leave this control out"
                        )

    def depends_on(self, stage: str, run: "Run", name: str) -> Keys:
        if stage == "mesh":
            return {f"methods.{name}": {"control": self.control}}
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
        """Whether it shows the truth of prompts that need not be in the run, so that there are no meshes to read."""
        return self.control == "wrong-prompt" and isinstance(run.config.methods[self.of], Truth)

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
