"""The command group `bench`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from jsdpipe.base.columns import columns
from jsdpipe.base.errors import UserError
from jsdpipe.base.validation import at
from jsdpipe.bench import FOLDER
from jsdpipe.commands.config_argument import Config, source
from jsdpipe.config.run_config import read_config, resolve

app = typer.Typer(no_args_is_help=True)


@app.command("evaluate")
def evaluate_command(config: Config = None) -> None:
    """Time a configuration's quality score on one core, as T3Bench's script computes it and as this package does."""
    content, name = source(config)
    read = read_config(content, name)
    if read.quality is None:
        raise UserError(f"{name}: quality: missing, but it is what is measured; add it")
    with at(f"{name}: quality.reward"):
        read.quality.reward.files()
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1"}
    from jsdpipe.bench.scoring import evaluate

    with at(name):
        typer.echo(columns(evaluate(read).rows()))


@app.command("generate")
def generate_command(
    config: Config = None,
    method: Annotated[
        list[str] | None, typer.Option(help="only these methods", show_default="all with a recipe")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="timed steps, spread over each recipe's run")] = 20,
    out: Annotated[Path, typer.Option(help="where to write the numbers and the figure", metavar="FOLDER")] = FOLDER,
) -> None:
    """Time the steps of a configuration's recipes on this machine, as its batches and the plain way, asset by asset."""
    content, name = source(config)
    resolved = resolve(content, name)
    recipes = resolved.recipes
    if not recipes:
        raise UserError(f"{name}: methods: none has a recipe, so nothing is generated")
    if unknown := set(method or ()) - recipes.keys():
        raise UserError(f"--method {min(unknown)}: {name} has no recipe of that name; it has {', '.join(recipes)}")
    chosen = {key: recipes[key] for key in method or recipes}
    from jsdpipe.bench import chart, generation

    with at(name):
        costs = generation.generate(resolved.config, chosen, steps)
    typer.echo(columns(costs.rows()))
    for path in chart.write(costs, out):
        typer.echo(path)


@app.callback()
def bench() -> None:
    """Measure costs on this machine."""
