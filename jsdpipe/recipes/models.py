"""Strict models of a recipe: the settings of one method, as its paper or public code has them.

Torch-free, because the workflow reads recipes while it plans.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Range = tuple[float, float]


class Strict(BaseModel):
    """Refuses unknown keys, silent conversions of type, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SDS(Strict):
    """Score distillation sampling (arXiv 2209.14988, eq. 3): gradient `w (e_s - eps)`, `w = 1 - alphas_cumprod`."""

    kind: Literal["sds"]
    guidance_scale: float = Field(description="s in e_null + s (e_text - e_null)")
    t_range: Annotated[tuple[Fraction, Fraction], Field(description="t is uniform in this range of the schedule")]


class JSD(Strict):
    """Jensen-Shannon score distillation (arXiv 2503.10660), as the public code computes it."""

    kind: Literal["jsd"]
    guidance_scale: float = Field(description="scale of both denoised estimates")
    inversion_scale: float = Field(description="scale of the DDIM inversion; negative in the public code")
    inversion_steps: Annotated[int, Field(ge=1, description="nominal steps over the whole schedule")]
    inversion_eta: NonNegative = Field(description="extra noise a step, in units of the DDIM deviation")
    clamp_first_timestep: bool = Field(
        default=False, description="ask the U-Net at 0 where the public code asks at a negative timestep"
    )
    k: NonNegative = Field(description="weight of the low-density (minority) term; 0 gives SDI")
    t_range: Annotated[tuple[Fraction, Fraction], Field(description="t falls linearly from the second to the first")]


Objective = Annotated[SDS | JSD, Field(discriminator="kind")]


class VoxelField(Strict):
    """A dense voxel field of density and albedo in the cube [-bound, bound]^3."""

    kind: Literal["voxels"]
    resolution: Annotated[int, Field(ge=8, le=512)]
    bound: Positive
    density_scale: Positive = Field(description="density = density_scale * softplus(parameter + blob)")
    blob_scale: NonNegative = Field(description="blob = blob_scale * (1 - |x| / blob_radius)")
    blob_radius: Positive
    density_lr: Positive
    albedo_lr: Positive
    background_lr: Positive


class Cameras(Strict):
    """Random training cameras that look at the origin."""

    distance: Range
    fovy_deg: Range
    elevation_deg: Range
    size: Annotated[int, Field(ge=8, description="pixels a side of the training renders")]
    samples_per_ray: Annotated[int, Field(ge=2)]


class Regularisers(Strict):
    """Weights of the loss terms beside the objective."""

    sparsity: NonNegative = Field(default=0.0, description="mean sqrt(opacity^2 + 0.01)")
    opaque: NonNegative = Field(default=0.0, description="binary entropy of opacity")
    total_variation: NonNegative = Field(default=0.0, description="squared differences of neighbouring voxels")


class Suffixes(Strict):
    """What is put after the prompt for a view's direction."""

    front: str
    side: str
    back: str
    overhead: str


class Views(Strict):
    """View-dependent prompts; the directions' limits are those of the public code."""

    suffixes: Suffixes
    front_deg: Positive = Field(default=45.0, description="|azimuth| below this is the front")
    back_deg: Positive = Field(default=135.0, description="|azimuth| above this is the back")
    overhead_deg: Positive = Field(default=60.0, description="elevation above this is overhead")
    perp_neg: bool = Field(description="Perp-Neg (arXiv 2304.04968)")
    negative_prompt: str = ""


class Recipe(Strict):
    """One method: its objective, scene, cameras, loss weights and length."""

    source: str = Field(description="the paper or public code that the settings come from")
    objective: Objective
    field: VoxelField
    cameras: Cameras
    views: Views
    regularisers: Regularisers = Regularisers()
    steps: Annotated[int, Field(ge=1)]
    views_per_step: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _ordered(self) -> "Recipe":
        for name, pair in (
            ("objective.t_range", self.objective.t_range),
            ("cameras.distance", self.cameras.distance),
            ("cameras.fovy_deg", self.cameras.fovy_deg),
            ("cameras.elevation_deg", self.cameras.elevation_deg),
        ):
            if pair[0] > pair[1]:
                raise ValueError(f"{name} must be [low, high], not {list(pair)}")
        return self
