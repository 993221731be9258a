"""Recipes: one YAML file a method, found by name in this folder or by path. Torch-free."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsdpipe.base.errors import UserError, shown
from jsdpipe.base.validation import at, nearest, read_yaml, validate
from jsdpipe.config.recipe import Recipe

FOLDER = Path(__file__).parents[1] / "recipes"


def names() -> list[str]:
    """The names of the package's recipes, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def load_recipe(name_or_path: str, override: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of a name in this folder (`jsdlr`) or of a file's path (`./mine.yaml`), with `override` merged in.

    A file may name others as its `base` (a name or a path relative to the file, or a list of them, each over the one
    before) and state only what differs. Mappings merge key by key, except where their `kind` differs: then the later
    one stands alone. `UserError` names the file, the key and the mend.
    """
    path = _find(name_or_path, Path())
    data = _read(path, ())
    if override:
        return validate(Recipe, merge(data, override), f"{path} with its override")
    return validate(Recipe, data, str(path))


def about(name: str) -> tuple[str, str]:
    """What the comment in the first line of one of the package's recipes says, and its `base`, "-" if it has none."""
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


def _find(name: str, folder: Path) -> Path:
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return folder / name
    known = names()
    if name not in known:
        raise UserError(f"no recipe {shown(name)}; {nearest(name, known, 'there are')} (or a path that ends in .yaml)")
    return FOLDER / f"{name}.yaml"


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """A recipe's keys, with its bases' below them."""
    data = read_yaml(path)
    if path.resolve() in seen:
        raise UserError(f"{path}: base: leads back to this file; take it out")
    bases = data.pop("base", [])
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise UserError(f"{path}: base: must be a recipe's name or path, or a list of them")
    merged: dict[str, Any] = {}
    for base in bases:
        with at(f"{path}: base"):
            merged = merge(merged, _read(_find(base, path.parent), (*seen, path.resolve())))
    return merge(merged, data)
