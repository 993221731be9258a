"""Settings of the scene: field, cameras, loss terms beside the objective."""

from typing import Annotated, Literal

from pydantic import Field

from jsdpipe.recipes.strict import Elevation, Fovy, NonNegative, Positive, Strict


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

    distance: tuple[Positive, Positive]
    fovy_deg: tuple[Fovy, Fovy]
    elevation_deg: tuple[Elevation, Elevation]
    size: Annotated[int, Field(ge=8, description="pixels a side of the training renders")]
    samples_per_ray: Annotated[int, Field(ge=2)]


class Regularisers(Strict):
    """Weights of the loss terms beside the objective."""

    sparsity: NonNegative = Field(default=0.0, description="mean sqrt(opacity^2 + 0.01)")
    opaque: NonNegative = Field(default=0.0, description="binary entropy of opacity")
    total_variation: NonNegative = Field(default=0.0, description="squared differences of neighbouring voxels")
