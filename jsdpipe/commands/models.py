"""The commands `models check` and `doctor`."""

import typer

from jsdpipe.commands.config_argument import Config, source
from jsdpipe.config.run_config import read_config
from jsdpipe.planning import needed_models as inventory

models = typer.Typer(no_args_is_help=True, help="The models that runs need.")


@models.command("check")
def check_models(config: Config = None) -> None:
    """List the models that a configuration needs. If some are missing, say how to get them, and exit with status 1."""
    content, name = source(config)
    found = inventory.needed(read_config(content, name), name)
    typer.echo(inventory.table(found))
    missing = [model for model in found if model.mends]
    for model in missing:
        typer.echo("\n  ".join((f"\n{model.name} is missing", *model.mends)))
    if missing:
        raise typer.Exit(1)


def doctor() -> None:
    """Print what this machine has, which recipes run on it, and what the others need."""
    from jsdpipe.commands.doctor import report

    typer.echo(report())
