"""The functions for notebooks and scripts: `jsdpipe.make`, `jsdpipe.score` and `jsdpipe.load_run`."""

from pathlib import Path

from jsdpipe.base.errors import UserError
from jsdpipe.commands.make_asset import make
from jsdpipe.commands.score_meshes import score
from jsdpipe.pipeline.layout import of_run
from jsdpipe.pipeline.run import Run
from jsdpipe.report.collect import Results, collect

__all__ = ["load_run", "make", "score"]


def load_run(run: str | Path) -> Results:
    """The numbers of a run whose shards are all scored, as tidy frames.

    Args:
        run: the run's folder, or the name of a run in `results/`.

    Returns:
        `assets`, a row per asset; `prompts`, a row per method and prompt; and the `similarities` of seeds.

    Raises:
        UserError: there is no such run, or a shard has not been scored.
    """
    folder = Path(run) if Path(run).is_dir() else of_run(str(run))
    if not folder.is_dir():
        raise UserError(f"{run}: no such folder, and no run of that name in results/; correct it")
    return collect(Run.load(folder))
