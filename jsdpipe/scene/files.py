"""Scene files: the parameters of one scene as safetensors in half precision, its settings as metadata."""

import json
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import atomic
from jsdpipe.scene.registry import SceneField, restore
from jsdpipe.scene.scene import Scene

VERSION = "1"
SETTINGS: TypeAdapter[SceneField] = TypeAdapter(SceneField)


def save(path: Path, scene: Scene) -> None:
    """Write one scene in half precision."""
    tensors = {name: tensor.detach().half().cpu().contiguous() for name, tensor in scene.tensors().items()}
    # One key, because safetensors writes several in any order.
    metadata = {"scene": json.dumps({"version": VERSION, "field": scene.settings.model_dump()})}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata)


def load(path: Path) -> Scene:
    """Read a scene, frozen; `UserError` if it is missing, broken, or of another version."""
    mend = "rerun the stage `generate`"
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {}).get("scene", "{}"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118, a file is no dict
        if described.get("version") == VERSION:
            return restore(SETTINGS.validate_json(json.dumps(described["field"])), tensors)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or 'no such file'}); {mend}") from None
    except (ValueError, SafetensorError):
        raise UserError(f"{path}: cannot be read as a scene; {mend}") from None
    raise UserError(f"{path}: a scene of version {described.get('version')}, not {VERSION}; {mend}")
