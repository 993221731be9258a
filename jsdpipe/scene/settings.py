"""Settings of the scene: what is optimised, cameras, loss terms beside the objective."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jsdpipe.base.fields import Elevation, Factor, Fovy, LearningRate, Length, Step, Strict
from jsdpipe.scene.hash_grid.settings import HashGridField


class VoxelField(Strict):
    """A dense voxel field of density and albedo in the cube [-bound, bound]^3, before a background of one colour."""

    kind: Literal["voxels"]
    resolution: Annotated[int, Field(ge=8, le=512)]
    bound: Length
    density_scale: float = Field(gt=0, le=10_000, description="density = density_scale * softplus(parameter + blob)")
    blob_scale: Factor = Field(description="blob = blob_scale * (1 - |x| / blob_radius)")
    blob_radius: Length
    density_lr: LearningRate
    albedo_lr: LearningRate
    background_lr: LearningRate


SceneField = Annotated[VoxelField | HashGridField, Field(discriminator="kind")]


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
Amount = Annotated[float, Field(ge=0, le=100_000)]
Weight = Amount | Annotated[tuple[Step, Amount, Amount, Step], AfterValidator(_schedule)]


class Cameras(Strict):
    """Random training cameras that look at the origin."""

    distance: tuple[Length, Length]
    fovy_deg: tuple[Fovy, Fovy]
    elevation_deg: tuple[Elevation, Elevation]
    size: Size | Sizes = Field(description="pixels a side of the training renders, or [[step, pixels], ...]")
    samples_per_ray: Annotated[int, Field(ge=2, le=8192)]


class Regularisers(Strict):
    """Weights of the loss terms beside the objective: a number, or [start_step, start, end, end_step]."""

    sparsity: Weight = Field(default=0.0, description="mean sqrt(opacity^2 + 0.01)")
    opaque: Weight = Field(default=0.0, description="binary entropy of opacity")
    total_variation: Weight = Field(default=0.0, description="squared differences of neighbouring voxels; voxels only")
    orientation: Weight = Field(default=0.0, description="normals that look away from the camera; hash_grid only")
    convexity: Weight = Field(default=0.0, description="turn of an 8 x 8 picture of normals; hash_grid only")
    z_variance: Weight = Field(default=0.0, description="variance of depth along opaque rays; hash_grid only")

    def unfit(self, kind: str) -> list[str]:
        """The terms with a weight that a field of this kind does not have."""
        foreign = ("total_variation",) if kind == "hash_grid" else ("orientation", "convexity", "z_variance")
        return [name for name in foreign if getattr(self, name) != 0]
