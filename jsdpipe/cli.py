"""The command line: thin, and quick to start, because stages are imported when they are run."""

import importlib
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from jsdpipe import __version__
from jsdpipe.base.axes import Front, Up, VertexColors
from jsdpipe.base.errors import one_line
from jsdpipe.commands import make_asset
from jsdpipe.commands import models as machine
from jsdpipe.commands.accept import accept
from jsdpipe.commands.bench_commands import app as bench
from jsdpipe.commands.check import check, configure
from jsdpipe.commands.fetch_prompts import SOURCES, fetch
from jsdpipe.commands.recipes import MERGING, recipes
from jsdpipe.commands.stage import stage
from jsdpipe.miniature.grammar import explained
from jsdpipe.miniature_training.commands import app as miniature

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
prompts = typer.Typer(no_args_is_help=True, help="Prompt sets.")
app.add_typer(prompts, name="prompts")
app.add_typer(miniature, name="miniature")
app.add_typer(machine.models, name="models")
app.add_typer(bench, name="bench")
app.command()(machine.doctor)
app.command()(check)
app.command()(configure)
app.command()(stage)
app.command()(accept)
app.command(epilog=MERGING)(recipes)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"jsdpipe {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A benchmark of text-to-3D generation by score distillation."""


@app.command(
    epilog=escape("\n\n".join(["The recipes miniature/* use the miniature prior, which understands:", *explained()])),
)
def make(
    prompt: Annotated[str, typer.Argument(help="a description of the asset")],
    recipe: Annotated[str, typer.Option(help="the method: a recipe's name or a YAML file")] = make_asset.RECIPE,
    prior: Annotated[
        str | None,
        typer.Option(help="a folder in diffusers' format, a hub id, or miniature", show_default="the recipe's"),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="a branch, tag or commit of the hub id")] = None,
    dtype: Annotated[str, typer.Option(help="number format of the prior's weights")] = "float32",
    seed: Annotated[int, typer.Option(min=0, help="another seed gives another asset")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="where to put it", metavar="FOLDER", show_default="results/by-hand/<prompt>/<recipe>/seed<N>"
        ),
    ] = None,
) -> None:
    """Make one asset from a prompt: its scene, its mesh and a picture."""
    made = make_asset.make(prompt, recipe, prior, revision, dtype, seed, out)
    for path in made.written:
        typer.echo(path)
    if not made.written:
        typer.echo(f"{made.folder}: nothing to do; it was made from the same inputs")
    if made.reason is not None:
        typer.echo(f"{made.folder}: failed: {made.reason}", err=True)
        raise typer.Exit(1)


@app.command()
def score(
    meshes: Annotated[
        list[Path], typer.Argument(help="files; several count as seeds of the prompt", metavar="MESH...")
    ],
    prompt: Annotated[str, typer.Option(help="what the meshes should show")],
    config: Annotated[
        str | None,
        typer.Option(
            help="a YAML file with the views and models to use", metavar="CONFIG", show_default="the miniature's"
        ),
    ] = None,
    up: Annotated[
        Up | None, typer.Option(help="the up axis of the files", show_default="y for glTF, z for others")
    ] = None,
    front: Annotated[
        Front | None, typer.Option(help="the front axis of the files", show_default="z if y is up, x if z is up")
    ] = None,
    vertex_colors: Annotated[
        VertexColors, typer.Option(help="how to read glTF's vertex colors; auto decides by the program that wrote them")
    ] = "auto",
    out: Annotated[Path | None, typer.Option(help="write all numbers to this JSON file", metavar="FILE")] = None,
) -> None:
    """Score the quality and alignment of meshes, and the diversity of several."""
    by_hand = importlib.import_module("jsdpipe.commands.score_meshes")
    if out is not None:
        by_hand.check_writable(out)
    found = by_hand.score(meshes, prompt, config, up, front, vertex_colors)
    if config is None:
        typer.echo(f"using the views and models of {found['config']}; choose others with --config", err=True)
    typer.echo(by_hand.table(found))
    if out is not None:
        by_hand.write(found, out)
    if all(asset["reason"] is not None for asset in found["assets"]):
        raise typer.Exit(1)


@prompts.command("fetch")
def fetch_prompts(
    name: Annotated[str, typer.Argument(help="e.g. t3bench", metavar="SOURCE")],
    origin: Annotated[
        Path | None, typer.Option("--from", help="a folder with the files, instead of the network")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="where to put the files", metavar="FOLDER", show_default="prompts/SOURCE")
    ] = None,
    sources: Annotated[
        Path,
        typer.Option(
            help="a YAML file of the sets that can be fetched, with their hashes", show_default="the package's"
        ),
    ] = SOURCES,
) -> None:
    """Fetch a prompt set, check it, and write it to a folder."""
    folder = Path("prompts", name) if out is None else out
    written = fetch(name, folder, origin, sources)
    for path in written:
        typer.echo(path)
    if not written:
        typer.echo(f"{folder}: nothing to do; every file is there and correct")


def main() -> None:
    """Run a command."""
    one_line(partial(app, prog_name="jsdpipe"))()


if __name__ == "__main__":
    main()
