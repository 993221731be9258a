"""The command group `bench`."""

import os

import typer

from jsdpipe.base.columns import columns
from jsdpipe.base.errors import UserError
from jsdpipe.base.validation import at
from jsdpipe.commands.config_argument import Config, source
from jsdpipe.config.run_config import read_config

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
    from jsdpipe.commands.bench import evaluate

    with at(name):
        typer.echo(columns(evaluate(read).rows()))


@app.callback()
def bench() -> None:
    """Measure costs on this machine."""
