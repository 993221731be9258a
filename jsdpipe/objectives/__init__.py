"""Score distillation objectives: one file each, and the registry that builds one from a recipe's settings."""

from collections.abc import Callable
from typing import Any

from jsdpipe.objectives.base import Guide, Objective, Output
from jsdpipe.objectives.jsd import JensenShannon
from jsdpipe.objectives.sds import ScoreDistillation

OBJECTIVES: dict[str, Callable[[Any], Objective]] = {"jsd": JensenShannon, "sds": ScoreDistillation}


def build(settings: Any) -> Objective:
    """The objective of a recipe's `objective` settings, by their kind."""
    return OBJECTIVES[settings.kind](settings)


__all__ = ["OBJECTIVES", "Guide", "Objective", "Output", "build"]
