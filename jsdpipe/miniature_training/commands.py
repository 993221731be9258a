"""The commands `jsdpipe miniature ...`: render the world's images, train its models, write their card."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jsdpipe.base.errors import UserError
from jsdpipe.miniature import WEIGHTS

app = typer.Typer(no_args_is_help=True, help="Make the miniature world's pictures and models.")

Work = Annotated[Path, typer.Option(help="folder of the rendered pictures and the checkpoints")]
Out = Annotated[Path, typer.Option(help="folder of the models; the default is the package's own")]


class Model(StrEnum):
    """The models to train; the diffusion model needs the autoencoder."""

    autoencoder = "autoencoder"
    clip = "clip"
    diffusion = "diffusion"
    all = "all"


@app.command()
def render(
    work: Work = Path("build/miniature"),
    count: Annotated[int, typer.Option(min=1, help="pictures, rounded up to whole chunks")] = 61_440,
) -> None:
    """Render the world's pictures; chunks that exist are kept."""
    from jsdpipe.miniature import data

    data.render(work / "pictures", count)


@app.command()
def train(
    model: Annotated[Model, typer.Argument(help="which model to train")] = Model.all,
    work: Work = Path("build/miniature"),
    out: Out = WEIGHTS,
) -> None:
    """Train a model on the rendered pictures; a training that was stopped resumes from its checkpoint."""
    _check_pictures(work)
    if model is Model.diffusion and not (work / "vae").is_dir():
        raise UserError(
            f"{work / 'vae'}: no autoencoder; run `jsdpipe miniature train autoencoder --work {work}` first"
        )
    from diffusers import AutoencoderTiny

    from jsdpipe.base.device import available_device
    from jsdpipe.miniature import data
    from jsdpipe.miniature_training import autoencoder, clip, diffusion, tokenizer

    checkpoints, device = work / "checkpoints", available_device()
    words = tokenizer.build()
    if model in (Model.autoencoder, Model.all):
        pictures = data.load(work / "pictures", held_out=False, chunks=autoencoder.CHUNKS)
        autoencoder.train_autoencoder(pictures, checkpoints, device).save_pretrained(work / "vae")
    if model in (Model.clip, Model.all):
        trained = clip.train_clip(data.load(work / "pictures", held_out=False), words, checkpoints, device)
        clip.save(trained, words, out / "clip")
    if model in (Model.diffusion, Model.all):
        vae = AutoencoderTiny.from_pretrained(work / "vae")
        pipe = diffusion.train_diffusion(data.load(work / "pictures", held_out=False), vae, words, checkpoints, device)
        diffusion.save(pipe, out / "diffusion")


@app.command()
def evaluate(work: Work = Path("build/miniature"), out: Out = WEIGHTS) -> None:
    """Measure the models on held-out pictures, write their card, and the CLIP's reward normalisation."""
    _check_pictures(work)
    from jsdpipe.base.device import available_device
    from jsdpipe.miniature_training import card

    card.write(work / "pictures", out, available_device())


def _check_pictures(work: Path) -> None:
    if not any((work / "pictures").glob("chunk-*.safetensors")):
        raise UserError(f"{work / 'pictures'}: no pictures; run `jsdpipe miniature render --work {work}` first")
