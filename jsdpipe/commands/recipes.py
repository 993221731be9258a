"""The command that lists the recipes, and shows one resolved."""

from typing import Annotated

import typer
import yaml

from jsdpipe.config.recipes import about, names, read_recipe

MERGING = """A recipe is a YAML file that says how one method makes an asset. It may name others as its `base`, by name
or path, or a list of them: each is merged over the one before, and over them all what the file itself states. Mappings
merge key by key; one of another `kind` replaces the whole of the base's. overlays/miniature.yaml is no recipe, but as
the last base it makes any method one of the miniature. `plugins` lists Python files, relative to the recipe, with
objectives of your own."""


def recipes(
    name: Annotated[str | None, typer.Argument(help="a name, or the path of a YAML file", metavar="NAME")] = None,
) -> None:
    """List the package's recipes; with NAME, print that one with all that it takes over from its bases."""
    if name is not None:
        file = read_recipe(name)
        resolved = file.validated().model_dump(mode="json")
        if file.plugins:
            resolved = {"plugins": [str(path.resolve()) for path in file.plugins]} | resolved
        typer.echo(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True), nl=False)
        return
    for each in names():
        (comment, base), keys = about(each), read_recipe(each).keys  # to validate them would import torch
        kinds = f"{keys['objective']['kind']}, {keys['field']['kind']}"
        typer.echo(f"{each}: {comment}")
        typer.echo(f"    {kinds}, {keys['steps']} steps, prior {keys['prior']}, base {base}")
        typer.echo(f"    {keys['source']}")
