"""Methods: the interface of all kinds, and the kind that optimizes assets by a recipe."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from jsdpipe.base.fields import NonEmpty, Strict
from jsdpipe.base.validation import validate
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.recipe import Recipe
from jsdpipe.config.recipes import Family, family, load_recipe, merge, read_recipe
from jsdpipe.model_files.formats import PRIOR, UNET
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.settings import OtherUNet

if TYPE_CHECKING:
    from jsdpipe.config.run_config import RunConfig
    from jsdpipe.pipeline.layout import Shard
    from jsdpipe.pipeline.run import Run

Prompts = Mapping[str, Sequence[Prompt]]  # by set
Keys = dict[str, Any]  # by the configuration's keys
Bound = Literal["ceiling", "floor"]


class Method(Strict):
    """A way to make assets. From the stage `mesh` on, all kinds are alike."""

    functions: ClassVar[Mapping[str, str]]  # "module:function" of the stages `generate` and `mesh`
    optimizes: ClassVar[bool]  # whether it optimizes assets with a prior, which the run must have
    closed: ClassVar[bool]  # whether its meshes are closed surfaces with outward-facing triangles
    ranked: ClassVar[bool] = True  # whether it is compared with others; truth and controls are not
    label: str | None = None

    @property
    def family(self) -> Family | None:
        """What its recipe may be compared with; None if it has no recipe."""
        return None

    @property
    def bound(self) -> Bound | None:
        """Which end of the scale its scores are, if they are one."""
        return None

    @property
    def origin(self) -> str:
        """Where its meshes come from, if it has no recipe."""
        return ""

    @property
    def makes_assets(self) -> bool:
        """Whether its stage `generate` makes assets, and does not only find them."""
        return True

    def recipe_with_overrides(self) -> Recipe | None:
        """Its recipe with the overrides, or None; raises `UserError` if no recipe has that name."""
        return None

    def plugins(self) -> list[Path]:
        """The plugins that its recipe names."""
        return []

    def adapter(self) -> OtherUNet | None:
        """The model whose U-Net its objective's adapter sits on, if that is not the prior's; no recipe is checked."""
        return None

    @abstractmethod
    def check(self, config: "RunConfig", prompts: Prompts, beyond: Prompts) -> None:
        """Raise `UserError` if it cannot make the assets of a run.

        Args:
            config: the run's configuration.
            prompts: the run's prompts.
            beyond: the prompts of the sets' files beyond their limits.
        """

    def lacks(self) -> str | None:
        """A message with key and remedy if this machine lacks a program that the method runs, else None."""
        return None

    @abstractmethod
    def depends_on(self, stage: str, run: "Run", name: str) -> Keys:
        """The configuration values that the results of `generate` or `mesh` depend on; `name` is the method's key."""

    def uses(self, stage: str, run: "Run", name: str) -> list[str]:
        """The registered modules that `generate` or `mesh` runs."""
        return []

    def shared_sources(self, run: "Run", name: str) -> list[Path]:
        """The local files that all its assets depend on."""
        return []

    def sources(self, run: "Run", shard: "Shard") -> list[Path]:
        """The existing files that only this shard's assets depend on."""
        return []

    def made_from(self, run: "Run", shard: "Shard") -> list["Shard"]:
        """The shards of other methods whose meshes the stage `generate` reads."""
        return []


class RecipeMethod(Method):
    """A method that follows a recipe, given by name or path, with the run's overrides."""

    functions: ClassVar = {"generate": "jsdpipe.generation.stage:generate", "mesh": "jsdpipe.mesh.stage:extract"}
    optimizes: ClassVar = True
    closed: ClassVar = True
    kind: Literal["recipe"] = "recipe"
    recipe: NonEmpty
    override: dict[str, object] = Field(default_factory=dict)

    @property
    def family(self) -> Family:
        return "own" if self.override else family(self.recipe)

    def recipe_with_overrides(self) -> Recipe:
        return load_recipe(self.recipe, self.override)

    def plugins(self) -> list[Path]:
        return read_recipe(self.recipe).plugins

    def adapter(self) -> OtherUNet | None:
        objective = merge(read_recipe(self.recipe).keys, self.override).get("objective")
        stated = objective.get("adapter") if isinstance(objective, Mapping) else None
        return validate(OtherUNet, stated, "objective.adapter") if isinstance(stated, Mapping) else None

    def check(self, config: "RunConfig", prompts: Prompts, beyond: Prompts) -> None:
        read_recipe(self.recipe)

    def depends_on(self, stage: str, run: "Run", name: str) -> Keys:
        config = run.config
        if stage == "mesh":
            return {"mesh": config.mesh.model_dump(exclude={"missing_material"})}
        assert config.prior is not None
        return {
            "seed": config.seed,
            "prior": config.prior.model_dump(),
            "generation": config.generation.model_dump(exclude={"shard_assets"}),
            f"methods.{name}": run.recipes[name].decisive,
        }

    def uses(self, stage: str, run: "Run", name: str) -> list[str]:
        return used_by(run.recipes[name], stage)

    def shared_sources(self, run: "Run", name: str) -> list[Path]:
        assert run.config.prior is not None
        folder = PRIOR.local_folder(run.config.prior.model, run.config.prior.revision)
        files = PRIOR.files(folder) if folder else []
        if adapter := run.recipes[name].adapter:
            folder = UNET.local_folder(adapter.model, adapter.revision)
            files += UNET.files(folder) if folder else []
        return files


def used_by(recipe: Recipe, stage: str) -> list[str]:
    """The registered modules that `generate` or `mesh` runs for a recipe: those of its scene and its objective."""
    scene = f"jsdpipe.scene.{recipe.field.kind}.scene"
    return [scene, str(OBJECTIVES.root(recipe.objective.kind))] if stage == "generate" else [scene]
