"""The files of a CLIP's folder in open_clip's format. Torch-free, because the workflow checks them while it plans."""

from collections.abc import Sequence
from pathlib import Path

from jsdpipe.errors import UserError

MODEL = ("open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json", "tokenizer_config.json")
NORMALISATION = "normalisation.json"  # of the reward, measured once the model is there


def files(folder: Path, names: Sequence[str] = (*MODEL, NORMALISATION)) -> list[Path]:
    """The files of these names in a CLIP's folder; `UserError` names the first that is missing."""
    for name in names:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: {name} is missing; restore the folder, or train the miniature's models")
    return [folder / name for name in sorted(names)]
