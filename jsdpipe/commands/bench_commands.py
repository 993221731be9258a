"""The commands that time what things cost here."""

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
    """Time a configuration's quality score on one core: a renderer a view and an image a call, against ours."""
    content, name = source(config)
    read = read_config(content, name)
    if read.quality is None:
        raise UserError(f"{name}: quality: left out, but it is what is measured; add it")
    with at(f"{name}: quality.reward"):
        read.quality.reward.files()
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1"}
    from jsdpipe.commands.bench import evaluate

    with at(name):
        typer.echo(columns(evaluate(read).rows()))


@app.callback()
def bench() -> None:
    """What things cost on this machine, as ratios of two ways in one run."""
