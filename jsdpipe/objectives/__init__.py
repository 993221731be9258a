"""Score distillation objectives: one file each, and the registry that builds one from a recipe's settings.

Torch-free, because the workflow asks which file a recipe uses. Nothing is imported by name here, so that a result
depends on its own objective alone.
"""

import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsdpipe.objectives.base import Objective

# of each kind in recipes, its class
OBJECTIVES = {
    "asd_adversarial": "jsdpipe.objectives.asd_adversarial:AdversarialScoreDistillation",
    "asd_asynchronous": "jsdpipe.objectives.asd_asynchronous:AsynchronousScoreDistillation",
    "csd": "jsdpipe.objectives.csd:ClassifierScoreDistillation",
    "ism": "jsdpipe.objectives.ism:IntervalScoreMatching",
    "jsd": "jsdpipe.objectives.jsd:JensenShannon",
    "nfsd": "jsdpipe.objectives.nfsd:NoiseFreeScoreDistillation",
    "sdi": "jsdpipe.objectives.sdi:Inversion",
    "sds": "jsdpipe.objectives.sds:ScoreDistillation",
    "sjc": "jsdpipe.objectives.sjc:ScoreJacobianChaining",
    "vsd": "jsdpipe.objectives.vsd:VariationalScoreDistillation",
}


def build(settings: Any) -> "Objective":
    """The objective of a recipe's `objective` settings, by their kind."""
    objective: Objective = pkgutil.resolve_name(OBJECTIVES[settings.kind])(settings)
    return objective
