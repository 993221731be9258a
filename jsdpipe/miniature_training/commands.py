"""The commands `jsdpipe miniature ...`: render training images, train the models, evaluate them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jsdpipe.base.errors import UserError
from jsdpipe.miniature import WEIGHTS

app = typer.Typer(no_args_is_help=True, help="Render the training images of the miniature world, and train its models.")

Work = Annotated[Path, typer.Option(help="folder of the rendered images and the checkpoints")]
Out = Annotated[Path, typer.Option(help="folder of the trained models; by default the package's own")]


class Model(StrEnum):
    """The models to train; the diffusion model needs the autoencoder."""

    autoencoder = "autoencoder"
    captioner = "captioner"
    classifier = "classifier"
    clip = "clip"
    diffusion = "diffusion"
    all = "all"


@app.command()
def render(
    work: Work = Path("build/miniature"),
    count: Annotated[int, typer.Option(min=1, help="number of images, rounded up to whole chunks")] = 167_936,
) -> None:
    """Render the training images; chunks that exist are not rendered again."""
    from jsdpipe.miniature import data

    data.render(work / "pictures", count)


@app.command()
def train(
    model: Annotated[Model, typer.Argument(help="which model to train")] = Model.all,
    work: Work = Path("build/miniature"),
    out: Out = WEIGHTS,
) -> None:
    """Train models on the rendered images; an interrupted training resumes from its checkpoint."""
    _check_pictures(work)
    if model is Model.diffusion and not (work / "vae").is_dir():
        raise UserError(
            f"{work / 'vae'}: no autoencoder; run `jsdpipe miniature train autoencoder --work {work}` first"
        )
    from diffusers import AutoencoderTiny

    from jsdpipe.base.device import available_device
    from jsdpipe.miniature import data
    from jsdpipe.miniature_training import autoencoder, captioner, classifier, clip, diffusion, tokenizer

    checkpoints, device = work / "checkpoints", available_device()
    words = tokenizer.build()
    if model in (Model.autoencoder, Model.all):
        pictures = data.load(work / "pictures", held_out=False, chunks=autoencoder.CHUNKS)
        autoencoder.train_autoencoder(pictures, checkpoints, device).save_pretrained(work / "vae")
    if model in (Model.captioner, Model.all):
        learned, held_out = (data.load(work / "pictures", held_out=held) for held in (False, True))
        captioner.save(captioner.train_captioner(learned, held_out, checkpoints, device), out / "captioner")
    if model in (Model.classifier, Model.all):
        seen = data.load(work / "pictures", held_out=False)
        classifier.save(classifier.train_classifier(seen, checkpoints, device), out / "classifier")
    if model in (Model.clip, Model.all):
        trained = clip.train_clip(data.load(work / "pictures", held_out=False), words, checkpoints, device)
        clip.save(trained, words, out / "clip")
    if model in (Model.diffusion, Model.all):
        vae = AutoencoderTiny.from_pretrained(work / "vae")
        pipe = diffusion.train_diffusion(data.load(work / "pictures", held_out=False), vae, words, checkpoints, device)
        diffusion.save(pipe, out / "diffusion")


@app.command()
def evaluate(work: Work = Path("build/miniature"), out: Out = WEIGHTS) -> None:
    """Evaluate the models on held-out images; write their model card and the CLIP's reward normalization."""
    _check_pictures(work)
    from jsdpipe.base.device import available_device
    from jsdpipe.miniature_training import card

    card.write(work / "pictures", out, available_device())


def _check_pictures(work: Path) -> None:
    if not any((work / "pictures").glob("chunk-*.safetensors")):
        raise UserError(f"{work / 'pictures'}: no images; run `jsdpipe miniature render --work {work}` first")
