"""The command line: thin, and quick to start, because stages are imported when they are run."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from jsdpipe import __version__, models
from jsdpipe.base.errors import UserError, warn
from jsdpipe.base.validation import at
from jsdpipe.commands import models as machine
from jsdpipe.commands.bench_commands import app as bench
from jsdpipe.commands.config_argument import Config, source
from jsdpipe.commands.fetch_prompts import SOURCES, fetch
from jsdpipe.commands.recipes import MERGING, recipes
from jsdpipe.config.axes import Front, Up, VertexColors
from jsdpipe.config.external import External
from jsdpipe.config.plausibility import warnings
from jsdpipe.config.run_config import Stage, load_config
from jsdpipe.miniature.grammar import explained
from jsdpipe.miniature_training.commands import app as miniature
from jsdpipe.models.settings import EndpointJudge
from jsdpipe.pipeline.external_assets import mesh_paths
from jsdpipe.pipeline.layout import BEFORE, SCORES, of_run
from jsdpipe.pipeline.manifests import check_there
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.changes import changes
from jsdpipe.planning.unfamiliar_prompts import warn_of_strangers_in

STAGES: dict[Stage, tuple[str, str]] = {
    "generate": ("jsdpipe.generation.stage:generate", "Optimise a shard's assets, or make one of a PROMPT by hand."),
    "mesh": ("jsdpipe.mesh.stage:extract", "Extract the surfaces of a shard's assets."),
    "render": ("jsdpipe.render.stage:render", "Render a shard's meshes by the protocols' cameras."),
    "quality": ("jsdpipe.scoring.quality:score", "Score the quality of a shard's assets."),
    "alignment": ("jsdpipe.scoring.alignment:score", "Score how well a shard's assets show their prompts."),
    "diversity": ("jsdpipe.scoring.diversity:score", "Score the diversity over the seeds of a shard's prompts."),
    "metrics": ("jsdpipe.scoring.custom_metrics:score", "Compute the metrics that a run's configuration names."),
}
SUMMARIES = {
    "tables": ("jsdpipe.report.tables:write", "Write a run's tables."),
    "figures": ("jsdpipe.report.figures:write", "Draw a run's figures."),
    "study": ("jsdpipe.study.stage:write", "Compare divergences and objectives where all is known exactly."),
    "report": ("jsdpipe.report.html:write", "Write a run's report."),
}

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
app.command(epilog=MERGING)(recipes)

RUN = typer.Option("--run", help="the run's folder", metavar="FOLDER")
Folder = Annotated[Path, RUN]
SHARD = typer.Option(help="e.g. jsd/single/000", metavar="METHOD/SET/INDEX")


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


@app.command()
def configure(folder: Folder, config: Config = None) -> None:
    """Check a configuration and write it, with its recipes and prompts, to a run's folder."""
    run, _ = _resolve(config, folder)
    for line in changes(run):
        typer.echo(line, err=True)
    run.save()


@app.command()
def check(config: Config = None) -> None:
    """Check a configuration, and say what it would make, and make again of what is there."""
    run, name = _resolve(config)
    shards = run.shards()
    assets = sum(len(list(shard.assets())) for shard in shards)
    found = f"{assets} assets in {len(shards)} shards{_meshes(run)}{_calls(run, assets)}{_left_out(run)}"
    typer.echo(f"{name}: good, {found}")
    for line in changes(run):
        typer.echo(line)


def _meshes(run: Run) -> str:
    """How many of the meshes from elsewhere are there; a missing one fails, and has the floors."""
    paths = [
        path
        for shard in run.shards()
        if isinstance(method := run.config.methods[shard.method], External) and method.path
        for path in mesh_paths(run, shard)
    ]
    return f", {sum(map(os.path.isfile, paths))} of {len(paths)} meshes are there" if paths else ""


def _calls(run: Run, assets: int) -> str:
    """How often a judge that costs money is called if it always answers in form: to merge captions, and to grade."""
    judge = run.config.alignment and run.config.alignment.judge
    if not isinstance(judge, EndpointJudge):
        return ""
    cap = "no cap" if judge.max_calls is None else f"capped at {judge.max_calls:,} (alignment.judge.max_calls)"
    return f", {2 * assets:,} calls of the judge or more, {cap}"


def _left_out(run: Run) -> str:
    """Which of the sections that a run need not have it has not."""
    absent = [name for name in (*SCORES, "study") if getattr(run.config, name) is None]
    return f", without {', '.join(absent)}" if absent else ""


def _resolve(config: str | None, folder: Path | None = None) -> tuple[Run, str]:
    """The run of a configuration, and what to call that."""
    content, name = source(config)
    loaded = load_config(content, name)
    run = Run.resolve(loaded, folder or of_run(loaded.run))
    with at(name):
        models.check_prompts(run)
    warn(*warnings(run.config, run.recipes))
    warn_of_strangers_in(run)
    return run, name


def _place(place: str) -> Callable[..., Any]:
    module, function = place.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _add_stage(name: Stage, about: str) -> None:
    @app.command(name, help=about)
    def stage(folder: Folder, shard: Annotated[str, SHARD]) -> None:
        _run_stage(name, folder, shard)


def _run_stage(name: Stage, folder: Path, shard: str) -> None:
    run = Run.load(folder)
    of_run = run.shard(shard)
    if name not in run.config.stages:
        raise UserError(f"{run.layout.run_json}: {name}: left out in the configuration; add it and rerun `configure`")
    check_there(run, BEFORE[name], of_run)  # now, and not after the imports
    need = run.config.need(name)
    if not need.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a stage takes no GPU that the workflow does not count
    import torch

    # The last bits of a result depend on it, so it is the configuration's, by hand as in the workflow.
    torch.set_num_threads(need.threads)
    _place(STAGES[name][0])(run, of_run)


def _add_summary(name: str, place: str, about: str) -> None:
    @app.command(name, help=about)
    def summary(folder: Folder) -> None:
        run = Run.load(folder)
        if name != "study":
            check_there(run, run.config.stages, *run.shards())
        _place(place)(run)


@app.command(
    help=STAGES["generate"][1],
    epilog=escape("\n\n".join(["What the miniature understands, the prior of `--recipe` *-miniature:", *explained()])),
)
def generate(
    prompt: Annotated[str | None, typer.Argument(help="what to make by hand")] = None,
    recipe: Annotated[str | None, typer.Option(help="a name or a YAML file; without: jsd-miniature")] = None,
    prior: Annotated[
        str | None, typer.Option(help="a folder in diffusers' format, a hub id, or miniature; without: the recipe's")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="of a hub id: a branch, tag or commit")] = None,
    dtype: Annotated[str | None, typer.Option(help="of the prior's weights; without: float32")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="without: 0")] = None,
    out: Annotated[
        Path | None, typer.Option(help="without: results/by-hand/<prompt>/<recipe>/seed<N>", metavar="FOLDER")
    ] = None,
    folder: Annotated[Path | None, RUN] = None,
    shard: Annotated[str | None, SHARD] = None,
) -> None:
    options = {
        "recipe": recipe, "prior": prior, "revision": revision, "dtype": dtype, "seed": seed, "out": out,
        "run": folder, "shard": shard,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    if prompt is not None and not {"run", "shard"} & given.keys():
        made = _place("jsdpipe.commands.make_asset:make")(prompt, **given)
        for path in made.written:
            typer.echo(path)
        if not made.written:
            typer.echo(f"{made.folder}: nothing to be done, it was made from the same inputs")
        if made.reason is not None:
            typer.echo(f"{made.folder}: failed: {made.reason}", err=True)
            raise typer.Exit(1)
    elif prompt is None and folder is not None and shard is not None and len(given) == 2:
        _run_stage("generate", folder, shard)
    else:
        found = ", ".join(["PROMPT"] * (prompt is not None) + [f"--{name}" for name in given]) or "nothing"
        raise UserError(f"generate: {found} given; give either a PROMPT and its options, or --run and --shard alone")


@app.command()
def score(
    meshes: Annotated[list[Path], typer.Argument(help="files; several are seeds of the prompt", metavar="MESH...")],
    prompt: Annotated[str, typer.Option(help="what they are to show")],
    config: Annotated[
        str | None,
        typer.Option(help="whose views and models are taken; without: the miniature's", metavar="CONFIG"),
    ] = None,
    up: Annotated[Up | None, typer.Option(help="y or z; without: y of glTF, z of others")] = None,
    front: Annotated[Front | None, typer.Option(help="e.g. -y; without: z where y is up, x where z is")] = None,
    vertex_colors: Annotated[
        VertexColors, typer.Option(help="of glTF: linear or srgb; auto tells by what has written the file")
    ] = "auto",
    out: Annotated[Path | None, typer.Option(help="write all numbers to this file, as JSON", metavar="FILE")] = None,
) -> None:
    """Score meshes by hand: quality, alignment, and of several their diversity."""
    by_hand = importlib.import_module("jsdpipe.commands.score_meshes")
    if out is not None:
        by_hand.check_writable(out)
    found = by_hand.score(meshes, prompt, config, up, front, vertex_colors)
    if config is None:
        typer.echo(f"with the views and models of {found['config']}; --config takes those of another", err=True)
    typer.echo(by_hand.table(found))
    if out is not None:
        by_hand.write(found, out)
    if all(asset["reason"] is not None for asset in found["assets"]):
        raise typer.Exit(1)


for _stage, (_, _about) in STAGES.items():
    if _stage != "generate":
        _add_stage(_stage, _about)
for _summary, _what in SUMMARIES.items():
    _add_summary(_summary, *_what)


@prompts.command("fetch")
def fetch_prompts(
    name: Annotated[str, typer.Argument(help="e.g. t3bench", metavar="SOURCE")],
    origin: Annotated[
        Path | None, typer.Option("--from", help="take the files from this folder, not from the network")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="without: prompts/SOURCE", metavar="FOLDER")] = None,
    sources: Annotated[
        Path, typer.Option(help="what there is to fetch, and its hashes", show_default="the package's")
    ] = SOURCES,
) -> None:
    """Fetch a prompt set, check it, and put it into a folder."""
    folder = Path("prompts", name) if out is None else out
    written = fetch(name, folder, origin, sources)
    for path in written:
        typer.echo(path)
    if not written:
        typer.echo(f"{folder}: nothing to be done, every file is there and right")


def main() -> None:
    """Run a command; a user's mistake is one line on standard error and exit status 2."""
    try:
        app(prog_name="jsdpipe")
    except UserError as error:
        print(f"jsdpipe: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
