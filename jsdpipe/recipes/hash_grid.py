"""Settings of the hash-grid field, with its material and backgrounds."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jsdpipe.recipes.strict import Fraction, NonNegative, Positive, Step, Strict


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"must be [low, high], not {list(ends)}")
    return ends


class HashGrid(Strict):
    """A multi-resolution hash grid (instant-ngp, arXiv 2201.05989)."""

    levels: Annotated[int, Field(ge=1)]
    features: Annotated[int, Field(ge=1, description="a level")]
    log2_table: Annotated[int, Field(ge=3, le=24, description="log2 of the most entries a level has")]
    base_resolution: Annotated[int, Field(ge=2)]
    growth: Annotated[float, Field(ge=1, description="of the resolution, from level to level")]


class AnalyticNormals(Strict):
    """Normals by automatic differentiation of the density."""

    kind: Literal["analytic"]


class FiniteDifferenceNormals(Strict):
    """Normals by central differences of the density."""

    kind: Literal["finite_differences"]
    epsilon: Positive = Field(description="half the distance of the differences, in world units")


class Material(Strict):
    """Albedo, after some steps now and then lit by a point light near the camera (DreamFusion, arXiv 2209.14988)."""

    albedo_only_steps: Step
    lit_probability: Fraction = Field(description="of a step after those")
    textureless_probability: Fraction = Field(description="of a lit step: white instead of albedo")
    ambient: NonNegative
    diffuse: NonNegative
    light_distance: Annotated[tuple[Positive, Positive], AfterValidator(_ordered)] = Field(
        description="of the light from the origin, uniform"
    )


class Background(Strict):
    """What all backgrounds share."""

    lr: Positive
    random_colour_probability: Fraction = Field(default=0.0, description="of a step with random colours instead")


class SolidBackground(Background):
    """One learnt colour."""

    kind: Literal["solid"]


class SphericalHarmonicsBackground(Background):
    """An environment map: spherical harmonics up to degree 2 (nine, "degree 3" in tiny-cuda-nn's words), a network."""

    kind: Literal["spherical_harmonics"]


class HashGridBackground(Background):
    """An environment map: a hash grid of directions, a network."""

    kind: Literal["hash_grid"]
    encoding: HashGrid


class HashGridField(Strict):
    """A hash-grid field of density and albedo in the ball of radius `bound`."""

    kind: Literal["hash_grid"]
    bound: Positive
    encoding: HashGrid
    hidden: Annotated[int, Field(ge=1, description="width of the one hidden layer of the density and albedo networks")]
    blob_scale: NonNegative = Field(description="density = softplus(network + blob_scale * (1 - |x| / blob_radius))")
    blob_radius: Positive
    normals: Annotated[AnalyticNormals | FiniteDifferenceNormals, Field(discriminator="kind")]
    material: Material
    background: Annotated[
        SolidBackground | SphericalHarmonicsBackground | HashGridBackground, Field(discriminator="kind")
    ]
    occupancy_resolution: Annotated[int, Field(ge=2, description="cells a side of the grid of what is empty")]
    occupancy_every: Annotated[int, Field(ge=1, description="steps from update to update of that grid")]
    lr: Positive
