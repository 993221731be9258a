"""`jsdpipe stage`: the command of the workflow's jobs."""

import importlib
import os
import pkgutil
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer

import jsdpipe
from jsdpipe.base.errors import UserError, one_line, shown
from jsdpipe.base.files import write_json
from jsdpipe.base.validation import nearest
from jsdpipe.config.stages import STAGES
from jsdpipe.pipeline.fingerprints import code_in, made_by
from jsdpipe.pipeline.manifests import check_there
from jsdpipe.pipeline.run import Run


def stage(
    names: Annotated[list[str], typer.Argument(help=", ".join(STAGES), metavar="NAME...")],
    folder: Annotated[Path, typer.Option("--run", help="the run's folder", metavar="FOLDER")],
    shard: Annotated[
        str | None, typer.Option(help="such as jsd/single/000, if the stage works on shards", metavar="SHARD")
    ] = None,
) -> None:
    """Run stages of a run one after the other, as a job of the workflow does."""
    for name in names:
        if name not in STAGES:
            raise UserError(f"no stage {shown(name)}; {nearest(name, list(STAGES), 'there are')}")
        if STAGES[name].of_run != (shard is None):
            mend = "the whole run; leave it out" if STAGES[name].of_run else "one shard; give its name"
            raise UserError(f"--shard: the stage {name} works on {mend}")
    run = Run.load(folder)
    shards = run.shards() if shard is None else [run.shard(shard)]
    for name in names:
        if (section := STAGES[name].section) and getattr(run.config, section) is None:
            raise UserError(
                f"{run.layout.run_json}: {name}: left out in the configuration; add it and rerun `configure`"
            )
    # now, and not after the imports
    for place, name in enumerate(names):
        read = run.config.stages if STAGES[name].reads_all else STAGES[name].reads(run.config)
        check_there(run, tuple(before for before in read if before not in names[:place]), *shards)
    for each in shards if "generate" in names else ():
        check_there(run, ("mesh",), *run.config.methods[each.method].made_from(run, each))
    need = run.config.need(*names)
    if not need.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a stage takes no GPU that the workflow does not count
    import torch

    # The last bits of a result depend on it, so it is the configuration's, by hand as in the workflow.
    torch.set_num_threads(need.threads)
    method = shards[0].method if shard else ""
    work = {name: pkgutil.resolve_name(STAGES[name].function_for(run, method)) for name in names}
    if len(names) > 1:
        _import_all(run, names, shards[0].method)
    for name in names:
        do = partial(work[name], run, *shards) if shard else partial(_of_run, work[name], run, name)
        do() if len(names) == 1 else _in_a_fork(do)


def _import_all(run: Run, names: list[str], method: str) -> None:
    """Import the package's modules that stages may need, also those that functions import, before there are forks."""
    for name in names:
        for module in code_in(run, name, method).modules:
            if module.startswith(f"{jsdpipe.__name__}.") and find_spec(module):
                importlib.import_module(module)


def _of_run(work: Callable[[Run], None], run: Run, name: str) -> None:
    work(run)
    write_json(run.layout.code(name), made_by(run, name))


def _in_a_fork(work: Callable[[], None]) -> None:
    """Work in a copy of this process, in which nothing ran before, because that could turn the last bits of a score."""
    process = get_context("fork").Process(target=one_line(work))
    process.start()
    process.join()
    if process.exitcode:
        raise typer.Exit(abs(process.exitcode))
