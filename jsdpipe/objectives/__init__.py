"""Score distillation objectives: one file each, and the registry that builds one from a recipe's settings."""

from collections.abc import Callable
from typing import Any

from jsdpipe.objectives.asd_adversarial import AdversarialScoreDistillation
from jsdpipe.objectives.asd_asynchronous import AsynchronousScoreDistillation
from jsdpipe.objectives.base import Clock, Guide, Objective, Output
from jsdpipe.objectives.csd import ClassifierScoreDistillation
from jsdpipe.objectives.ism import IntervalScoreMatching
from jsdpipe.objectives.jsd import JensenShannon
from jsdpipe.objectives.nfsd import NoiseFreeScoreDistillation
from jsdpipe.objectives.sdi import Inversion
from jsdpipe.objectives.sds import ScoreDistillation
from jsdpipe.objectives.sjc import ScoreJacobianChaining
from jsdpipe.objectives.vsd import VariationalScoreDistillation

OBJECTIVES: dict[str, Callable[[Any], Objective]] = {
    "asd_adversarial": AdversarialScoreDistillation,
    "asd_asynchronous": AsynchronousScoreDistillation,
    "csd": ClassifierScoreDistillation,
    "ism": IntervalScoreMatching,
    "jsd": JensenShannon,
    "nfsd": NoiseFreeScoreDistillation,
    "sdi": Inversion,
    "sds": ScoreDistillation,
    "sjc": ScoreJacobianChaining,
    "vsd": VariationalScoreDistillation,
}


def build(settings: Any) -> Objective:
    """The objective of a recipe's `objective` settings, by their kind."""
    return OBJECTIVES[settings.kind](settings)


__all__ = ["OBJECTIVES", "Clock", "Guide", "Objective", "Output", "build"]
