"""Models of diffusers and transformers, read from local folders with every weight in its place."""

import json
from pathlib import Path
from typing import Any

from jsdpipe.base.errors import UserError, first_line

HALF = "fp16"  # in the names of weights in half precision


def weights(kind: Any, folder: Path, **options: Any) -> Any:
    """A model of class `kind` with every one of its weights read from the folder; `options` go to `from_pretrained`.

    Weights in half precision are read if there are no others. `UserError` if the folder holds no such model, or lacks
    weights.
    """
    json_object(folder / "config.json")
    variant = None if any(f".{HALF}" not in file.name for file in folder.glob("*.safetensors*")) else HALF
    try:
        model, report = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True, variant=variant, **options
        )
    except Exception as error:  # the libraries raise errors of any kind for files they cannot read
        raise UserError(
            f"{folder}: not the weights of a {kind.__name__} ({first_line(error)}); fetch it again"
        ) from None
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise UserError(f"{folder}: {len(missing)} weights are missing, {missing[0]} first; fetch it again")
    return model


def json_object(path: Path) -> dict[str, Any]:
    """The object in a model's JSON file; `UserError` if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); fetch it again") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: cannot be read as JSON; fetch it again") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: must be a JSON object; fetch it again")
    return value
