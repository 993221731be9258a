"""Settings of a hash-grid scene, with its material and backgrounds."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from jsdpipe.base.fields import Factor, Fraction, LearningRate, Length, Step, Steps, Strict
from jsdpipe.scene.settings import NEED_NORMALS, SceneSettings


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"must be [low, high], not {list(ends)}")
    return ends


class HashGrid(Strict):
    """A multi-resolution hash grid (instant-ngp, arXiv 2201.05989)."""

    levels: Annotated[int, Field(ge=1, le=32)]
    features: Annotated[int, Field(ge=1, le=16, description="a level")]
    log2_table: Annotated[int, Field(ge=3, le=24, description="log2 of the most entries a level has")]
    base_resolution: Annotated[int, Field(ge=2, le=1024)]
    growth: Annotated[float, Field(ge=1, le=16, description="of the resolution, from level to level")]


class Progressive(Strict):
    """Levels that open one after the other in training; closed ones give zeros (threestudio's progressive bands)."""

    start_level: Annotated[int, Field(ge=1, le=32, description="how many levels are open at first")]
    start_step: Step = Field(description="the next one opens `every` steps after this")
    every: Steps = Field(description="steps from one level to the next")


class FieldHashGrid(HashGrid):
    """The hash grid of a field."""

    progressive: Progressive | None = None

    @model_validator(mode="after")
    def _more_levels(self) -> "FieldHashGrid":
        if self.progressive and self.progressive.start_level >= self.levels:
            raise ValueError(
                f"progressive.start_level must be below levels ({self.levels}), not {self.progressive.start_level}"
            )
        return self


class AnalyticNormals(Strict):
    """Normals by automatic differentiation of the density."""

    kind: Literal["analytic"]


class FiniteDifferenceNormals(Strict):
    """Normals by central differences of the density."""

    kind: Literal["finite_differences"]
    epsilon: float = Field(gt=0, le=1, description="half the distance of the differences, in world units")


class Material(Strict):
    """Albedo; after some steps at times lit by a point light near the camera (DreamFusion, arXiv 2209.14988)."""

    albedo_only_steps: Step
    lit_probability: Fraction = Field(description="of a step after those")
    textureless_probability: Fraction = Field(description="of a lit step: `textureless_as` instead of lit albedo")
    textureless_as: Literal["lit_white", "normals"] = Field(
        default="lit_white", description="normals: the unit normal n as the color (n + 1) / 2, not lit (CSD's)"
    )
    ambient: Factor
    diffuse: Factor
    light_distance: Annotated[tuple[Length, Length], AfterValidator(_ordered)] = Field(
        description="of the light from the origin, uniform"
    )


class Background(Strict):
    """What all backgrounds share."""

    lr: LearningRate
    random_color_probability: Fraction = Field(default=0.0, description="of a step with random colors instead")


class SolidBackground(Background):
    """One learned color."""

    kind: Literal["solid"]


class SphericalHarmonicsBackground(Background):
    """An environment map: a network on the nine spherical harmonics up to degree 2 ("degree 3" in tiny-cuda-nn)."""

    kind: Literal["spherical_harmonics"]


class HashGridBackground(Background):
    """An environment map: a network on a hash grid of directions."""

    kind: Literal["hash_grid"]
    encoding: HashGrid
    encoding_lr: LearningRate = Field(description="of the hash grid; `lr` is the network's")


class HashGridField(SceneSettings):
    """A hash-grid field of density and albedo in the ball of radius `bound`."""

    regularizers: ClassVar = frozenset({"sparsity", "opaque", "orientation", "convexity", "z_variance"})
    small_renders: ClassVar = True  # threestudio's dreamfusion-sd renders 64 pixels for 512

    kind: Literal["hash_grid"]
    bound: Length
    encoding: FieldHashGrid
    hidden: Annotated[
        int, Field(ge=1, le=1024, description="width of the one hidden layer of the density and albedo networks")
    ]
    blob_scale: Factor = Field(description="density = softplus(network + blob_scale * (1 - |x| / blob_radius))")
    blob_radius: Length
    normals: Annotated[AnalyticNormals | FiniteDifferenceNormals, Field(discriminator="kind")] | None = Field(
        description="null: the scene has none"
    )
    material: Material | None = Field(description="null: albedo alone")
    background: Annotated[
        SolidBackground | SphericalHarmonicsBackground | HashGridBackground, Field(discriminator="kind")
    ]
    occupancy_resolution: Annotated[int, Field(ge=2, le=512, description="cells a side of the occupancy grid")]
    occupancy_every: Steps = Field(description="steps between updates of that grid")
    encoding_lr: LearningRate
    network_lr: LearningRate

    @property
    def available_regularizers(self) -> frozenset[str]:
        return self.regularizers if self.normals else self.regularizers - NEED_NORMALS

    @model_validator(mode="after")
    def _normals_to_light(self) -> "HashGridField":
        if self.material and not self.normals:
            raise ValueError("material needs normals, but `normals` is null; set `material` to null too")
        return self
