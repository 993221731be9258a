"""A run: its configuration with resolved recipes and prompts, so that a stage needs only the run's folder."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json, try_writing, write_text
from jsdpipe.base.validation import at
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.recipe import Recipe
from jsdpipe.config.run_config import Resolved, RunConfig
from jsdpipe.pipeline.layout import AssetKey, Layout, Shard, shards


@dataclass(frozen=True)
class Run:
    """A run in `folder`: the configuration, each recipe with its method's overrides, each set's prompts.

    `beyond` are the prompts of the sets' files beyond their limits.
    """

    folder: Path
    config: RunConfig
    recipes: Mapping[str, Recipe]
    prompts: dict[str, tuple[Prompt, ...]]
    beyond: dict[str, tuple[Prompt, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, resolved: Resolved, folder: Path) -> "Run":
        """The run of a resolved configuration."""
        return cls(folder, resolved.config, resolved.recipes, resolved.prompts, resolved.beyond)

    @classmethod
    def load(cls, folder: Path) -> "Run":
        """Read `run.json`; raises `UserError` if it is missing, broken, or from another version of the package.

        A recipe is validated only when it is used, because that imports torch.
        """
        path = Layout(folder).run_json
        if not path.is_file():
            raise UserError(f"{path}: no such file; write it with `jsdpipe configure CONFIG --run {folder}`")
        raw = read_json(path)
        try:
            with at(str(path)):
                config = RunConfig.model_validate_json(json.dumps(raw["config"]))
            prompts, beyond = (
                {name: tuple(Prompt(**prompt) for prompt in of_set) for name, of_set in raw[key].items()}
                for key in ("prompts", "beyond")
            )
            return cls(folder, config, _Recipes(path, dict(raw["recipes"])), prompts, beyond)
        except (KeyError, TypeError, AttributeError, ValueError):  # pydantic's ValidationError is a ValueError
            raise _foreign(path) from None

    @cached_property
    def accepted(self) -> dict[tuple[str, str], dict[str, str]]:
        """Accepted code changes by (stage, shard name or ""): from a code hash to the hash of the results it keeps."""
        path, accepted = self.layout.accepted, dict[tuple[str, str], dict[str, str]]()
        for entry in read_json(path) if path.is_file() else []:
            for name in entry["shards"]:
                accepted.setdefault((entry["stage"], name), {})[entry["code"]] = entry["stands_for"]
        return accepted

    def content(self) -> dict[str, Any]:
        """The content of `run.json`."""
        return {
            "config": self.config.model_dump(mode="json"),
            "recipes": {name: recipe.model_dump(mode="json") for name, recipe in self.recipes.items()},
            **{
                key: {name: [asdict(prompt) for prompt in of_set] for name, of_set in prompts.items()}
                for key, prompts in (("prompts", self.prompts), ("beyond", self.beyond))
            },
        }

    def save(self) -> None:
        """Write `run.json`; raises `UserError` if it cannot be written."""
        # Keys are not sorted: the tables list methods and sets in the order of the configuration.
        text = json.dumps(self.content(), indent=1, ensure_ascii=False) + "\n"
        with _writing(self.folder):
            write_text(self.layout.run_json, text)

    @property
    def layout(self) -> Layout:
        return Layout(self.folder)

    def shards(self) -> list[Shard]:
        """All shards, methods and sets in the order of the configuration."""
        return list(self._by_name.values())

    def shard(self, name: str) -> Shard:
        """The shard of that name, e.g. "jsd/single/000"; raises `UserError` if there is none."""
        if name not in self._by_name:
            raise UserError(f"--shard: no shard {name!r} in {self.layout.run_json}; there are {self._span()}")
        return self._by_name[name]

    def shard_of(self, asset: AssetKey) -> Shard:
        """The shard that an asset is of."""
        return self._by_prompt[asset.method, asset.set, asset.prompt_id]

    def placed_prompts(self) -> Iterator[tuple[str, Prompt]]:
        """All prompts, each with the set, file and line that it is from."""
        for name, of_set in self.prompts.items():
            # Prompt files have no empty lines, so a prompt's number is its line.
            for line, prompt in enumerate(of_set, start=1):
                yield f"sets.{name}.file: {self.config.sets[name].file}: line {line}", prompt

    def _span(self) -> str:
        names = list(self._by_name)
        return ", ".join(names) if len(names) <= 6 else f"{len(names)}, {names[0]} ... {names[-1]}"

    @cached_property
    def _by_name(self) -> dict[str, Shard]:
        config = self.config
        all_shards = shards(list(config.methods), self.prompts, config.seeds, config.generation.shard_assets)
        return {shard.name: shard for shard in all_shards}

    @cached_property
    def _by_prompt(self) -> dict[tuple[str, str, str], Shard]:
        return {(shard.method, shard.set, prompt.id): shard for shard in self.shards() for prompt in shard.prompts}


def check_writable(folder: Path) -> None:
    """Raise the `UserError` of `Run.save` before the work if a run cannot be written to this folder."""
    with _writing(folder):
        try_writing(folder)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = Layout(folder).run_json
        raise UserError(
            f"{where}: cannot be written ({error.strerror}); give another folder, or free this one"
        ) from None


class _Recipes(Mapping[str, Recipe]):
    """The recipes of a `run.json`, each validated when it is first used."""

    def __init__(self, path: Path, raw: dict[str, Any]) -> None:
        self._path, self._raw = path, raw
        self._read: dict[str, Recipe] = {}

    def __getitem__(self, name: str) -> Recipe:
        if name not in self._read:
            try:
                self._read[name] = Recipe.model_validate_json(json.dumps(self._raw[name]))
            except ValidationError:
                raise _foreign(self._path) from None
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def _foreign(path: Path) -> UserError:
    return UserError(f"{path}: not a run of this version; rerun `jsdpipe configure`")
