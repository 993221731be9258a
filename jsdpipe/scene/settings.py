"""Settings of what is optimized: the scene, its training cameras, and the loss terms beside the objective.

Torch-free, because the workflow reads recipes while it plans.
"""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from jsdpipe.base.fields import Elevation, Fovy, Length, Step, Strict

NEED_NORMALS = frozenset({"orientation", "convexity"})  # regularizers


class SceneSettings(Strict):
    """What the settings of every kind of scene share; a subclass fixes `kind`, the name of its folder."""

    regularizers: ClassVar[frozenset[str]]  # the names in `Regularizers` that the kind can have
    small_renders: ClassVar[bool]  # whether training renders far smaller than the prior's images are usual
    latent_channels: ClassVar[int] = 0  # of the prior's latents, if the kind renders those in place of RGB

    kind: str

    @property
    def available_regularizers(self) -> frozenset[str]:
        """The regularizers that a scene with these settings has."""
        return self.regularizers


def _milestones(sizes: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    steps = [step for step, _ in sizes]
    if steps[:1] != [0] or steps != sorted(set(steps)):
        raise ValueError(f"must be [step, size] pairs of rising steps, the first 0, not of {steps}")
    return sizes


def _schedule(weight: tuple[int, float, float, int]) -> tuple[int, float, float, int]:
    if weight[0] >= weight[3]:
        raise ValueError(f"must be [start_step, start, end, end_step], not {list(weight)}")
    return weight


Size = Annotated[int, Field(ge=8, le=4096)]
Sizes = Annotated[tuple[tuple[Step, Size], ...], AfterValidator(_milestones)]
Amount = Annotated[float, Field(ge=0, le=1_000_000)]
Weight = Amount | Annotated[tuple[Step, Amount, Amount, Step], AfterValidator(_schedule)]
Offset = Annotated[float, Field(ge=0, le=10)]


class CameraJitter(Strict):
    """Random offsets of the training cameras, along each axis, in world units (threestudio's)."""

    position: Offset = Field(description="of the camera: uniform in +-position")
    center: Offset = Field(description="of the point it looks at: standard deviation of a normal distribution")
    up: Offset = Field(description="of the unit vector up: standard deviation of a normal distribution")


class Cameras(Strict):
    """Random training cameras that look at the origin, or with jitter near it."""

    distance: tuple[Length, Length]
    fovy_deg: tuple[Fovy, Fovy]
    elevation_deg: tuple[Elevation, Elevation]
    size: Size | Sizes = Field(description="pixels a side of the training renders, or [[step, pixels], ...]")
    samples_per_ray: Annotated[int, Field(ge=2, le=8192, description="steps that cross the whole scene")]
    jitter: CameraJitter | None = None
    front_back_steps: Step = Field(
        default=0, description="so many first steps see front and back only, within 30 degrees (CSD's)"
    )


class Regularizers(Strict):
    """Weights of the loss terms beside the objective: a number, or [start_step, start, end, end_step]."""

    sparsity: Weight = Field(default=0.0, description="mean sqrt(opacity^2 + 0.01)")
    opaque: Weight = Field(default=0.0, description="binary entropy of opacity")
    total_variation: Weight = Field(default=0.0, description="squared differences of neighboring voxels")
    emptiness: Weight = Field(default=0.0, description="mean log(1 + 10 weight) of the samples of rays")
    orientation: Weight = Field(default=0.0, description="normals that face away from the camera")
    convexity: Weight = Field(default=0.0, description="turn of an 8 x 8 picture of normals")
    z_variance: Weight = Field(default=0.0, description="variance of depth along opaque rays")
    share: Weight | None = Field(
        default=None,
        description="the norm of the terms' gradient over that of the objective's; the weights are then relative",
    )

    @model_validator(mode="after")
    def _of_something(self) -> "Regularizers":
        if self.share is not None and not any(weight for name, weight in self if name != "share"):
            raise ValueError("share needs a term with a weight; state one, or set share to null")
        return self

    def unsupported(self, supported: frozenset[str]) -> list[str]:
        """The terms that have a weight but are not among the supported ones."""
        return [name for name, weight in self if name not in {*supported, "share"} and weight != 0]
