"""Recipes: one YAML file per method, found by name in the package or by path. Torch-free until validation."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Literal

from jsdpipe.base.errors import UserError, shown
from jsdpipe.base.registry import load_plugin
from jsdpipe.base.validation import at, read_yaml, validate
from jsdpipe.config.recipe import Recipe

FOLDER = Path(__file__).parents[1] / "recipes"

Family = Literal["controlled", "published", "own"]
# by folder
FAMILIES: dict[str, Family] = {"controlled": "controlled", "miniature": "controlled", "published": "published"}


def names() -> list[str]:
    """The names of the package's recipes, `<folder>/<stem>`, sorted."""
    return sorted(f"{folder}/{file.stem}" for folder in FAMILIES for file in (FOLDER / folder).glob("*.yaml"))


def family(name_or_path: str) -> Family:
    """The family of a recipe of the package; `own` if it is given by its path."""
    return "own" if _is_path(name_or_path) else FAMILIES.get(name_or_path.partition("/")[0], "own")


def in_one_word(name_or_path: str) -> str:
    """A recipe's name as that of a folder: `published-jsdlr`; of a path, the file's stem."""
    return Path(name_or_path).stem if _is_path(name_or_path) else name_or_path.replace("/", "-")


@dataclass(frozen=True)
class RecipeFile:
    """A recipe before validation: its keys merged over those of its bases, and the plugins of all these files."""

    path: Path
    keys: dict[str, Any]
    plugins: list[Path]

    def validated(self, override: Mapping[str, Any] | None = None) -> Recipe:
        """Load the plugins, and validate the recipe with `override` merged in.

        Raises:
            UserError: a plugin or key is wrong; the line names the file, the key and what to do.
        """
        for plugin in self.plugins:
            with at(f"{self.path}: plugins"):
                load_plugin(plugin)
        if override:
            return validate(Recipe, merge(self.keys, override), f"{self.path} with its override")
        return validate(Recipe, self.keys, str(self.path))


def read_recipe(name_or_path: str) -> RecipeFile:
    """Read a recipe by its name in the package (`miniature/jsd`) or by its path (`mine.yaml`), without validation.

    A file may name a `base`, or a list of them, by name or path, and then state only what differs; later bases override
    earlier ones. A path of a base is relative to the file, or else to the package's folder of recipes. Mappings merge
    key by key, except that a mapping of another `kind` replaces the base's. `plugins` are paths relative to the file.

    Raises:
        UserError: a file is missing or wrong; the line names the file and what to do.
    """
    return _read(_find(name_or_path), ())


def load_recipe(name_or_path: str, override: Mapping[str, Any] | None = None) -> Recipe:
    """The validated recipe that `read_recipe` finds, with `override` merged in."""
    return read_recipe(name_or_path).validated(override)


def about(name: str) -> tuple[str, str]:
    """The comment in the first line of one of the package's recipes, and its `base` ("-" if it has none)."""
    path = FOLDER / f"{name}.yaml"
    comment, base = path.read_text(encoding="utf-8").partition("\n")[0], read_yaml(path).get("base", "-")
    return comment.removeprefix("# "), base if isinstance(base, str) else ", ".join(base)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the entries of `over`, mapping by mapping; a mapping of another `kind` replaces the base's."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            same = value.get("kind", old.get("kind")) == old.get("kind")
            merged[key] = merge(old, value) if same else value
        else:
            merged[key] = value
    return merged


def _is_path(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _find(name: str, beside: Path = Path()) -> Path:
    if _is_path(name):
        return beside / name
    known = names()
    if name not in known:
        # people also give only the stem or the folder, or put the folder last
        spelled: dict[str, list[str]] = {}
        for each in known:
            folder, stem = each.split("/")
            for spelling in (each, stem, folder, f"{stem}-{folder}"):
                spelled.setdefault(spelling, []).append(each)
        close = difflib.get_close_matches(name.lower(), spelled, n=1)
        similar = (
            f"did you mean {', '.join(map(repr, spelled[close[0]]))}?" if close else f"there are: {', '.join(known)}"
        )
        raise UserError(f"no recipe {shown(name)}; {similar} (or a path that ends in .yaml)")
    return FOLDER / f"{name}.yaml"


def _find_base(name: str, beside: Path) -> Path:
    path, own = _find(name, beside), FOLDER / name
    return own if own.is_file() and not path.exists() else path


def _read(path: Path, seen: tuple[Path, ...]) -> RecipeFile:
    data = read_yaml(path)
    if path.resolve() in seen:
        raise UserError(f"{path}: base: leads back to this file; remove it")
    bases = data.pop("base", [])
    bases = [bases] if isinstance(bases, str) else bases
    if not _are_texts(bases):
        raise UserError(f"{path}: base: must be a recipe's name or path, or a list of them")
    plugins = data.pop("plugins", [])
    if not _are_texts(plugins):
        raise UserError(f"{path}: plugins: must be a list of paths")
    files = []
    for base in bases:
        with at(f"{path}: base"):
            files.append(_read(_find_base(base, path.parent), (*seen, path.resolve())))
    files.append(RecipeFile(path, data, [path.parent / plugin for plugin in plugins]))
    keys: dict[str, Any] = reduce(merge, (file.keys for file in files), {})
    return RecipeFile(path, keys, [plugin for file in files for plugin in file.plugins])


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
