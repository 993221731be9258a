"""`jsdpipe check` and `jsdpipe configure`: check a configuration, and write it as a run."""

import os
from pathlib import Path
from typing import Annotated

import typer

from jsdpipe.base.columns import columns
from jsdpipe.base.errors import warn
from jsdpipe.base.validation import at
from jsdpipe.commands.config_argument import Config, source
from jsdpipe.config.external import External
from jsdpipe.config.plausibility import warnings
from jsdpipe.config.run_config import resolve
from jsdpipe.config.stages import STAGES
from jsdpipe.models.settings import Endpoint
from jsdpipe.pipeline.layout import of_run
from jsdpipe.pipeline.run import Run, check_writable
from jsdpipe.planning.changes import changes
from jsdpipe.planning.unfamiliar_prompts import check_prompts, warn_of_unfamiliar_in


def configure(
    folder: Annotated[Path, typer.Option("--run", help="the run's folder", metavar="FOLDER")], config: Config = None
) -> None:
    """Check a configuration and write it, with its recipes and prompts, to a run's folder."""
    check_writable(folder)  # now, and not after the imports
    run, _ = _resolve(config, folder)
    for line in changes(run):
        typer.echo(line, err=True)
    run.save()


def check(config: Config = None) -> None:
    """Check a configuration. Print what it would make and cost, and which existing results it would make again."""
    run, name = _resolve(config)
    shards = run.shards()
    assets = sum(len(list(shard.assets())) for shard in shards)
    found = f"{assets} assets in {len(shards)} shards{_meshes(run)}{_calls(run, assets)}{_left_out(run)}"
    typer.echo(f"{name}: good, {found}")
    for line in changes(run):
        typer.echo(line)
    from jsdpipe.planning import costs  # imports PyTorch and the bench, which `configure` does not need

    if expected := costs.costs(run):
        typer.echo(costs.source(expected))
        typer.echo(columns(costs.rows(expected, "GPU" if run.config.need("generate").gpu else "job")))
        warn(*costs.warnings(run, expected))


def _meshes(run: Run) -> str:
    """How many of the meshes made elsewhere exist; a missing one is a failed asset."""
    methods = {name: method for name, method in run.config.methods.items() if isinstance(method, External)}
    of_files = [shard for shard in run.shards() if shard.method in methods and methods[shard.method].path]
    paths = [path for shard in of_files for path in methods[shard.method].mesh_paths(run, shard)]
    return f", {sum(map(os.path.isfile, paths))} of {len(paths)} meshes exist" if paths else ""


def _calls(run: Run, assets: int) -> str:
    """How often a judge that costs money is called if all its answers are valid: to merge captions, and to grade."""
    judge = run.config.alignment and run.config.alignment.judge
    if not isinstance(judge, Endpoint):
        return ""
    cap = "no cap" if judge.max_calls is None else f"capped at {judge.max_calls:,} (alignment.judge.max_calls)"
    return f", {2 * assets:,} calls of the judge or more, {cap}"


def _left_out(run: Run) -> str:
    """Which optional sections the run does not have."""
    sections = [stage.section for stage in STAGES.values() if stage.section and (stage.protocol or stage.of_run)]
    absent = [section for section in sections if getattr(run.config, section) is None]
    return f", without {', '.join(absent)}" if absent else ""


def _resolve(config: str | None, folder: Path | None = None) -> tuple[Run, str]:
    """The run of a configuration, and the configuration's name for messages."""
    content, name = source(config)
    resolved = resolve(content, name)
    run = Run.of(resolved, folder or of_run(resolved.config.run))
    with at(name):
        check_prompts(run)
    warn(*warnings(run.config, run.recipes))
    warn_of_unfamiliar_in(run)
    return run, name
