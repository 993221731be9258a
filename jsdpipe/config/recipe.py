"""The strict model of a recipe: the settings of one method, as its paper or public code has them.

Torch-free until a recipe is validated, which imports its objective's file.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from jsdpipe.base.fields import NonEmpty, Steps, Strict
from jsdpipe.base.registry import OfKind
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.settings import AdapterSettings, ObjectiveSettings, OtherUNet
from jsdpipe.prior.settings import ViewPrompts
from jsdpipe.scene.registry import SceneField
from jsdpipe.scene.settings import Cameras, Regularizers


class Recipe(Strict):
    """One method: its objective, scene, cameras, loss weights and length."""

    source: str = Field(description="the paper or public code that the settings come from")
    prior: NonEmpty = Field(description="what the settings are made for, taken by hand; a run states its own")
    objective: Annotated[ObjectiveSettings, OfKind(OBJECTIVES, lambda objective: objective.Settings)]
    field: SceneField
    cameras: Cameras
    view_prompts: ViewPrompts
    posterior: Literal["mean", "sample"] = Field(
        description="what is taken of the posterior that a KL autoencoder encodes a render to; others have none"
    )
    regularizers: Regularizers = Regularizers()
    steps: Steps
    views_per_step: Annotated[int, Field(ge=1, le=64)] = 1

    @property
    def adapter(self) -> OtherUNet | None:
        """The other model on whose U-Net the objective trains its adapter, if there is one."""
        return self.objective.adapter if isinstance(self.objective, AdapterSettings) else None

    @model_validator(mode="after")
    def _ordered(self) -> "Recipe":
        for name, pair in (
            ("cameras.distance", self.cameras.distance),
            ("cameras.fovy_deg", self.cameras.fovy_deg),
            ("cameras.elevation_deg", self.cameras.elevation_deg),
        ):
            if pair[0] > pair[1]:
                raise ValueError(f"{name} must be [low, high], not {list(pair)}")
        return self

    @model_validator(mode="after")
    def _regularizers_of_the_field(self) -> "Recipe":
        for name in self.regularizers.unsupported(self.field.regularizers):
            raise ValueError(f"regularizers.{name} is not for a field of kind {self.field.kind}; set it to 0")
        return self
