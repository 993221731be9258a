"""The command that lists the recipes, or prints one with its bases merged."""

from itertools import groupby
from typing import Annotated

import typer
import yaml

from jsdpipe.config.recipes import about, family, names, read_recipe

MERGING = """A recipe is a YAML file that says how one method makes an asset. Its `base` is the name or path of another
recipe, or a list of them. They are merged in order, and the file's own keys last. Mappings are merged key by key; a
mapping of another `kind` replaces the whole mapping. With overlays/miniature.yaml as the last base, any method runs on
the miniature. `plugins` lists Python files, relative to the recipe, with objectives of your own."""

HEADINGS = {
    "controlled": "Controlled recipes differ in their objective and what it needs; they say which objective is better:",
    "published": "Published recipes are each by its own public configuration; they stand beside published numbers:",
}


def recipes(
    name: Annotated[str | None, typer.Argument(help="a name, or the path of a YAML file", metavar="NAME")] = None,
) -> None:
    """List the package's recipes. With NAME, print that recipe with its bases merged."""
    if name is not None:
        file = read_recipe(name)
        resolved = file.validated().model_dump(mode="json")
        if file.plugins:
            resolved = {"plugins": [str(path.resolve()) for path in file.plugins]} | resolved
        typer.echo(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True), nl=False)
        return
    for heading, of_family in groupby(names(), key=lambda each: HEADINGS[family(each)]):
        typer.echo(heading)
        for each in of_family:
            (comment, base), keys = about(each), read_recipe(each).keys  # to validate them would import torch
            kinds = f"{keys['objective']['kind']}, {keys['field']['kind']}"
            typer.echo(f"  {each}: {comment}")
            typer.echo(f"      {kinds}, {keys['steps']} steps, prior {keys['prior']}, base {base}")
            typer.echo(f"      {keys['source']}")
            if lacking := keys.get("unpublished"):
                typer.echo(f"      not the published scene: {lacking}")
