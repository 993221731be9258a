"""The smallest configuration that is a complete run, on the miniature's models."""

import json
from pathlib import Path
from typing import Any

# what overrides a recipe with a hash grid
HASH_GRID: dict[str, Any] = {
    "steps": 3,
    "field": {
        "bound": 1.0,
        "encoding": {"levels": 3, "log2_table": 8, "base_resolution": 4, "growth": 2.0},
        "hidden": 8,
        "material": {"albedo_only_steps": 1, "lit_probability": 1.0},
        "occupancy_resolution": 8,
    },
    "cameras": {"size": [[0, 8], [2, 16]], "samples_per_ray": 16, "distance": [1.6, 2.0]},
    "view_prompts": {"perp_neg": False},
}


def config(folder: Path, prompts: str = "a red mushroom\n") -> dict[str, Any]:
    """A configuration whose prompts are written to `folder`; two methods, one set, two seeds."""
    file = folder / "prompts.txt"
    file.write_text(prompts, encoding="utf-8")

    def small() -> dict[str, Any]:
        return {"steps": 2, "field": {"resolution": 12}, "cameras": {"samples_per_ray": 8}}

    return {
        "run": "tiny",
        "seeds": [0, 1],
        "sets": {"single": {"file": str(file)}},
        "methods": {
            "jsd": {"recipe": "miniature/jsd", "override": small()},
            "sds": {"recipe": "miniature/sds", "override": small()},
        },
        "prior": {"model": "miniature"},
        "generation": {"shard_assets": 2, "batch_assets": 2, "preview_views": 2},
        "mesh": {"resolution": 16, "threshold": "auto"},
        "render": {
            "size": 32,
            "quality": {"subdivision": 0, "radius": 2.2, "fovy_deg": [60.0]},
            "alignment": {"subdivision": 0, "radius": 4.84, "fovy_deg": 60.0},
            "diversity": {"views": 4, "elevation_deg": 15.0, "distance": 2.6, "fovy_deg": 45.0},
        },
        "quality": {"reward": {"kind": "miniature-clip"}},
        "alignment": {"captioner": {"kind": "miniature"}, "judge": {"kind": "attributes"}},
        "diversity": {"classifier": {"kind": "miniature"}, "features": {"kind": "miniature"}},
        "study": {"steps": 2, "particles": 6},
        "report": {"title": "Tiny", "bootstrap": 100, "turntable_views": 4},
    }


def write(path: Path, value: dict[str, Any]) -> Path:
    """Write a configuration as a file (JSON is YAML)."""
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
