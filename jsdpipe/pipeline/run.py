"""A run: its configuration with recipes and prompts resolved, so that a stage needs nothing but the run's folder."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json, write_text
from jsdpipe.config.prompts import Prompt, read_prompts
from jsdpipe.config.recipe import Recipe
from jsdpipe.config.recipes import load_recipe
from jsdpipe.config.run_config import OfRecipe, RunConfig
from jsdpipe.pipeline.layout import Layout, Shard, shards


@dataclass(frozen=True)
class Run:
    """A run in `folder`: the configuration, each recipe with its method's overrides, each set's prompts."""

    folder: Path
    config: RunConfig
    recipes: dict[str, Recipe]
    prompts: dict[str, tuple[Prompt, ...]]

    @classmethod
    def resolve(cls, config: RunConfig, folder: Path) -> "Run":
        """Read the recipes and prompt files that a configuration names."""
        recipes = {
            name: load_recipe(method.recipe, method.override)
            for name, method in config.methods.items()
            if isinstance(method, OfRecipe)
        }
        prompts = {name: read_prompts(Path(of.file), of.limit) for name, of in config.sets.items()}
        return cls(folder, config, recipes, prompts)

    @classmethod
    def load(cls, folder: Path) -> "Run":
        """Read `run.json`; `UserError` if it is missing, broken, or of another version of the package."""
        path = Layout(folder).run_json
        if not path.is_file():
            raise UserError(f"{path}: no such file; write it with `jsdpipe configure CONFIG --run {folder}`")
        raw = read_json(path)
        try:
            return cls(
                folder,
                RunConfig.model_validate_json(json.dumps(raw["config"])),
                {name: Recipe.model_validate_json(json.dumps(recipe)) for name, recipe in raw["recipes"].items()},
                {name: tuple(Prompt(**prompt) for prompt in of_set) for name, of_set in raw["prompts"].items()},
            )
        except (KeyError, TypeError, AttributeError, ValidationError):
            raise UserError(f"{path}: not a run of this version; rerun `jsdpipe configure`") from None

    def content(self) -> dict[str, Any]:
        """What `run.json` holds."""
        return {
            "config": self.config.model_dump(mode="json"),
            "recipes": {name: recipe.model_dump(mode="json") for name, recipe in self.recipes.items()},
            "prompts": {
                name: [{"id": prompt.id, "text": prompt.text} for prompt in of_set]
                for name, of_set in self.prompts.items()
            },
        }

    def save(self) -> None:
        """Write `run.json`; `UserError` if it cannot be written."""
        # Not sorted: the order of methods and sets is that of the configuration, and of the tables.
        text = json.dumps(self.content(), indent=1, ensure_ascii=False) + "\n"
        try:
            write_text(self.layout.run_json, text)
        except OSError as error:
            raise UserError(
                f"{self.layout.run_json}: cannot be written ({error.strerror}); give another folder, or free this one"
            ) from None

    @property
    def layout(self) -> Layout:
        return Layout(self.folder)

    def shards(self) -> list[Shard]:
        """All shards, methods and sets in the order of the configuration."""
        return list(self._by_name.values())

    def shard(self, name: str) -> Shard:
        """The shard of that name, e.g. "jsd/single/000"; `UserError` if there is none."""
        if name not in self._by_name:
            raise UserError(f"--shard: no shard {name!r} in {self.layout.run_json}; there are {self._span()}")
        return self._by_name[name]

    def placed_prompts(self) -> Iterator[tuple[str, Prompt]]:
        """Every prompt, after the set, file and line that it stands in."""
        for name, of_set in self.prompts.items():
            # Prompt files have no empty line, so that a prompt's number is its line.
            for line, prompt in enumerate(of_set, start=1):
                yield f"sets.{name}.file: {self.config.sets[name].file}: line {line}", prompt

    def _span(self) -> str:
        names = list(self._by_name)
        return ", ".join(names) if len(names) <= 6 else f"{len(names)}, {names[0]} ... {names[-1]}"

    @cached_property
    def _by_name(self) -> dict[str, Shard]:
        config = self.config
        found = shards(list(config.methods), self.prompts, config.seeds, config.generation.shard_assets)
        return {shard.name: shard for shard in found}
