"""The strict model of a recipe: the settings of one method, from its paper or public code.

Torch-free until a recipe is validated, which imports the file of its objective.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from jsdpipe.base.fields import Betas, Epsilon, Factor, NonEmpty, Steps, Strict
from jsdpipe.base.registry import OfKind
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.settings import AdapterSettings, ObjectiveSettings, OtherUNet
from jsdpipe.prior.settings import ViewPrompts
from jsdpipe.scene.registry import SceneField
from jsdpipe.scene.settings import Cameras, Regularizers


class Optimizer(Strict):
    """The optimizer of the scene's parameters, whose learning rates are the field's."""

    kind: Literal["adam", "adamw", "adamax"] = "adam"
    betas: Betas = (0.9, 0.99)
    eps: Epsilon = 1e-15
    weight_decay: Factor = 0.0


class Recipe(Strict):
    """One method: its objective, scene, cameras, regularizer weights and number of steps."""

    source: str = Field(description="the paper or public code that the settings come from")
    unpublished: NonEmpty | None = Field(
        default=None, description="what of the public scene or prior cannot be reproduced here"
    )
    prior: NonEmpty = Field(
        description="the prior that the settings are for, the default of `jsdpipe make`; a run states its own"
    )
    objective: Annotated[ObjectiveSettings, OfKind(OBJECTIVES, lambda objective: objective.Settings)]
    field: SceneField
    cameras: Cameras
    view_prompts: ViewPrompts
    posterior: Literal["mean", "sample"] | None = Field(
        default=None,
        description="the latent of a render: the mean of a KL autoencoder's posterior, or a sample of it; "
        "null for a field that renders latents",
    )
    reduction: Literal["mean", "sum"] = Field(
        default="mean", description="of the objective's loss over the elements of a latent"
    )
    objective_weight: Annotated[float, Field(gt=0, le=1000)] = Field(
        default=1.0, description="factor of the objective's gradient"
    )
    regularizers: Regularizers = Regularizers()
    optimizer: Optimizer = Optimizer()
    steps: Steps
    views_per_step: Annotated[int, Field(ge=1, le=64)] = 1

    @property
    def decisive(self) -> dict[str, Any]:
        """What its assets depend on, as JSON: all but the prose."""
        return self.model_dump(mode="json", exclude={"source", "unpublished"})

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
                raise ValueError(f"{name}: must be [low, high], not {list(pair)}")
        return self

    @model_validator(mode="after")
    def _posterior_of_the_field(self) -> "Recipe":
        if self.field.latent_channels and self.posterior:
            raise ValueError(f"posterior: not for a field of kind {self.field.kind}; set it to null")
        if not self.field.latent_channels and not self.posterior:
            raise ValueError("posterior: missing; set it to 'mean' or 'sample'")
        return self

    @model_validator(mode="after")
    def _regularizers_of_the_field(self) -> "Recipe":
        for name in self.regularizers.unsupported(self.field.available_regularizers):
            lack = "without normals" if name in self.field.regularizers else f"of kind {self.field.kind}"
            raise ValueError(f"regularizers.{name}: is not for a field {lack}; set it to 0")
        return self
