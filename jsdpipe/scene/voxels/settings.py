"""Settings of a voxel scene."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jsdpipe.base.fields import Factor, LearningRate, Length
from jsdpipe.scene.settings import SceneSettings


class VoxelField(SceneSettings):
    """A dense voxel field of density and albedo in the cube [-bound, bound]^3, before a background of one color."""

    regularizers: ClassVar = frozenset({"sparsity", "opaque", "total_variation"})
    small_renders: ClassVar = False

    kind: Literal["voxels"]
    resolution: Annotated[int, Field(ge=8, le=512)]
    bound: Length
    density_scale: float = Field(gt=0, le=10_000, description="density = density_scale * softplus(parameter + blob)")
    blob_scale: Factor = Field(description="blob = blob_scale * (1 - |x| / blob_radius)")
    blob_radius: Length
    density_lr: LearningRate
    albedo_lr: LearningRate
    background_lr: LearningRate
