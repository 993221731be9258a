"""Field types that configurations and recipes share. Torch-free, because the workflow reads recipes while it plans.

The bounds of numbers are far beyond any real use, but tight enough to catch a wrong unit or an extra zero.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=0, le=1000)]
LearningRate = Annotated[float, Field(gt=0, le=10)]
Length = Annotated[float, Field(gt=0, le=100, description="in world units; an asset is 1 or 2 units large")]
# of Adam's family
Betas = tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
Epsilon = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=2_592_000)]  # 30 days
Step = Annotated[int, Field(ge=0, le=1_000_000)]
Steps = Annotated[int, Field(ge=1, le=1_000_000)]
FractionSchedule = Fraction | tuple[Step, Fraction, Fraction, Step]  # see jsdpipe.base.schedules
Fovy = Annotated[float, Field(ge=4, le=170, description="vertical field of view in degrees")]  # radians are below 4
Elevation = Annotated[float, Field(ge=-90, le=90, description="degrees from the xy-plane")]
NonEmpty = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """A model that refuses unknown keys, implicit type conversions, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
