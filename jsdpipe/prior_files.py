"""The files of a prior's folder in diffusers' format. Torch-free, because the workflow checks them while it plans."""

import re
from pathlib import Path

from jsdpipe.errors import UserError
from jsdpipe.miniature import WEIGHTS

# of each file, the names it may have
REQUIRED = (
    ("unet/config.json",),
    ("unet/diffusion_pytorch_model.safetensors",),
    ("vae/config.json",),
    ("vae/diffusion_pytorch_model.safetensors",),
    ("text_encoder/config.json",),
    ("text_encoder/model.safetensors",),
    ("tokenizer/tokenizer.json", "tokenizer/vocab.json"),
    ("tokenizer/tokenizer.json", "tokenizer/merges.txt"),
    ("scheduler/scheduler_config.json",),
)
OPTIONAL = ("tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json")
NAMES = list(dict.fromkeys([*(name for choice in REQUIRED for name in choice), *OPTIONAL]))


def local_folder(model: str, revision: str | None) -> Path | None:
    """The folder that a prior's name stands for, `None` for a hub id; `UserError` if it can be neither.

    And if a folder is to have a revision, which would go unheeded.
    """
    folder = WEIGHTS / "diffusion" if model == "miniature" else Path(model)
    try:
        found = folder.is_dir()
    except OSError as error:
        raise UserError(f"{model!r} cannot be looked at ({error.strerror}); correct the path") from None
    if found and revision is not None:
        raise UserError(f"{model!r} is a folder, which has no revisions; take revision {revision!r} out")
    if found:
        return folder
    if model != "miniature" and re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model):
        return None
    raise UserError(
        f"{str(folder)!r} is no folder; name a folder in diffusers' format, a hub id (owner/name), or `miniature`"
    )


def cached_folder(model: str, revision: str | None) -> Path | None:
    """The folder of a hub id's revision in the local cache, `None` if it is not there; the network is never asked.

    `UserError` if it can be no hub id. Whether the folder is complete, `files` says.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=NAMES, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise UserError(f"{model!r} is no hub id ({error}); correct it") from None


def files(folder: Path) -> list[Path]:
    """The files that a prior is made of; `UserError` names the first that is missing."""
    found = set()
    for choice in REQUIRED:
        present = [folder / name for name in choice if (folder / name).is_file()]
        if not present:
            raise UserError(f"{folder}: {' or '.join(choice)} is missing; give a complete folder in diffusers' format")
        found.update(present)
    return sorted(found | {folder / name for name in OPTIONAL if (folder / name).is_file()})
