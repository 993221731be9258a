"""What a result depends on, as one hash: its inputs, the code that makes it, and the libraries.

Torch-free, because the workflow asks while it plans. A result that is kept has the fingerprint of one that would be
made now, so the manifest that keeps it may state today's code and libraries as its origin.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jsdpipe.base.files import sha256
from jsdpipe.base.provenance import libraries

_SCORES = ("base/cameras.py", "base/seeding.py", "mesh/surface.py", "miniature", "models", "render", "scoring")
KINDS = (".py", ".j2", ".css")  # and not what editors and file managers leave beside them
# of each stage, the files and folders of the package that its numbers and pictures come from
CODE: dict[str, tuple[str, ...]] = {
    "generate": (
        "base/cameras.py", "base/cpu.py", "base/optimizer_state.py", "base/schedules.py", "base/seeding.py",
        "model_files/prior_family.py", "generation", "objectives", "prior", "scene",
    ),
    "mesh": ("base/schedules.py", "mesh", "pipeline/mesh_references.py", "scene"),
    "render": ("base/cameras.py", "mesh", "pipeline/mesh_references.py", "render"),
    "quality": _SCORES,
    "alignment": _SCORES,
    "diversity": _SCORES,
    "metrics": ("render/view_archive.py", "scoring/custom_metrics.py"),
    "report": ("base/seeding.py", "metrics", "report"),
    "study": (
        "base/optimizer_state.py", "base/schedules.py", "base/seeding.py", "objectives", "config/objectives.py",
        "report/markup.py", "report/style.py", "study",
    ),
}  # fmt: skip


def fingerprint(stage: str, *parts: Any) -> str:
    """Hex SHA-256 of a stage's code, the libraries' versions, and `parts`: values that JSON can hold."""
    return hashlib.sha256(json.dumps([_code(stage), libraries(), parts], sort_keys=True).encode()).hexdigest()


def sources(stage: str) -> list[Path]:
    """The source files that a stage's results come from, relative to the package."""
    root = Path(__file__).parents[1]
    files = (file for name in CODE[stage] for file in ([root / name] if "." in name else (root / name).rglob("*")))
    return sorted(file.relative_to(root) for file in files if file.suffix in KINDS)


@cache
def _code(stage: str) -> str:
    root = Path(__file__).parents[1]
    listing = "".join(f"{path.as_posix()}\0{sha256(root / path)}\0" for path in sources(stage))
    return hashlib.sha256(listing.encode()).hexdigest()
