"""Settings of a scene of latent voxels."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jsdpipe.base.fields import LearningRate, Length
from jsdpipe.scene.settings import SceneSettings


class LatentVoxelField(SceneSettings):
    """A dense voxel field of density and latents in the cube [-bound, bound]^3, before a map of latents."""

    regularizers: ClassVar = frozenset({"sparsity", "opaque", "emptiness"})
    small_renders: ClassVar = True
    latent_channels: ClassVar = 4  # Stable Diffusion's, to whose colors `albedo` maps them

    kind: Literal["latent_voxels"]
    resolution: Annotated[int, Field(ge=8, le=512)]
    bound: Length
    density_bias: float = Field(
        ge=-100, le=100, description="density = softplus(exp(learned scale) * parameter + density_bias)"
    )
    background_resolution: Annotated[int, Field(ge=1, le=1024, description="a side of the background's map")]
    grid_lr: LearningRate = Field(description="of density, its scale, and latents")
    background_lr: LearningRate
