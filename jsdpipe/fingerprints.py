"""What a result depends on, as one hash: its inputs, the code that makes it, and the libraries.

Torch-free, because the workflow asks while it plans. A result that is kept has the fingerprint of one that would be
made now, so the manifest that keeps it may state today's code and libraries as its origin.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jsdpipe.files import sha256
from jsdpipe.provenance import libraries

_SCORES = (
    "cameras.py",
    "seeding.py",
    "mesh/rigs.py",
    "mesh/surface.py",
    "mesh/views.py",
    "miniature/data.py",
    "miniature/grammar.py",
    "miniature/scenes.py",
    "miniature/solids.py",
    "miniature/things.py",
    "miniature/tracing.py",
    "scoring",
)
KINDS = (".py", ".j2", ".css")  # and not what editors and file managers leave beside them
# of each stage, the files and folders of the package that its numbers and pictures come from
CODE: dict[str, tuple[str, ...]] = {
    "generate": (
        "cameras.py", "checkpoints.py", "device.py", "prior_family.py", "schedules.py", "seeding.py",
        "generation", "objectives", "prior", "scene",
    ),
    "mesh": (
        "mesh/axes.py", "mesh/glb.py", "mesh/isosurface.py", "mesh/obj.py", "mesh/parts.py", "mesh/readers",
        "mesh/reading.py", "mesh/srgb.py", "mesh/stage.py", "mesh/surface.py", "mesh/texturing.py", "mesh/topology.py",
        "schedules.py", "scene",
    ),
    "render": ("cameras.py", "mesh"),
    "quality": _SCORES,
    "alignment": _SCORES,
    "diversity": _SCORES,
    "report": ("seeding.py", "report"),
    "study": (
        "checkpoints.py", "schedules.py", "seeding.py", "objectives", "recipes/objectives.py", "report/markup.py",
        "report/style.py", "study",
    ),
}  # fmt: skip


def fingerprint(stage: str, *parts: Any) -> str:
    """Hex SHA-256 of a stage's code, the libraries' versions, and `parts`: values that JSON can hold."""
    return hashlib.sha256(json.dumps([_code(stage), libraries(), parts], sort_keys=True).encode()).hexdigest()


def sources(stage: str) -> list[Path]:
    """The source files that a stage's results come from, relative to the package."""
    root = Path(__file__).parent
    files = (file for name in CODE[stage] for file in ([root / name] if "." in name else (root / name).rglob("*")))
    return sorted(file.relative_to(root) for file in files if file.suffix in KINDS)


@cache
def _code(stage: str) -> str:
    root = Path(__file__).parent
    listing = "".join(f"{path.as_posix()}\0{sha256(root / path)}\0" for path in sources(stage))
    return hashlib.sha256(listing.encode()).hexdigest()
