"""The files of a CLIP's folder in open_clip's format. Torch-free, because the workflow checks them while it plans."""

from pathlib import Path

from jsdpipe.errors import UserError

REQUIRED = (
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "normalisation.json",  # of the reward
)


def files(folder: Path) -> list[Path]:
    """The files that a CLIP is made of; `UserError` names the first that is missing."""
    for name in REQUIRED:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: {name} is missing; restore the folder, or train the miniature's models")
    return [folder / name for name in sorted(REQUIRED)]
