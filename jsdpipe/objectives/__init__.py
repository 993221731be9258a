"""Score distillation objectives, one file each. Torch-free until an objective is asked for by its kind."""

from typing import TYPE_CHECKING

from jsdpipe.base.registry import Registry
from jsdpipe.objectives.settings import ObjectiveSettings

if TYPE_CHECKING:
    from jsdpipe.objectives.base import Objective

OBJECTIVES: "Registry[type[Objective]]" = Registry("objective", __name__, __name__, shared=("base", "settings"))


def build(settings: ObjectiveSettings) -> "Objective":
    """The objective of a recipe's `objective` settings, by their kind."""
    return OBJECTIVES[settings.kind](settings)
