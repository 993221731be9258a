"""The origin of a result: versions of code and libraries, device, models."""

import importlib.metadata
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsdpipe

LIBRARIES = (
    "torch", "torchvision", "diffusers", "transformers", "open_clip_torch", "numpy", "scipy", "pillow", "trimesh",
    "plyfile", "embreex", "moderngl", "scikit-image", "xatlas",
)  # fmt: skip


@cache
def libraries() -> dict[str, str]:
    """The versions of the libraries that results depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


@cache
def git_commit() -> str | None:
    """The commit of the source tree that the package runs from, with `-dirty` if it has changes; None without git."""
    root = Path(jsdpipe.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def provenance(device: str = "cpu", **models: str) -> dict[str, Any]:
    """How a result was made, for its manifest; `models` maps a role to a model's id and hash."""
    return {
        "jsdpipe": jsdpipe.__version__,
        "commit": git_commit(),
        "python": platform.python_version(),
        "libraries": libraries(),
        "device": device,
        "models": models,
    }
