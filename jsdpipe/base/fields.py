"""What the models of a recipe share. Torch-free, because the workflow reads recipes while it plans.

Numbers have bounds that are far from any real use, and near enough to refuse another unit or one zero too many.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=0, le=1000)]
LearningRate = Annotated[float, Field(gt=0, le=10)]
Length = Annotated[float, Field(gt=0, le=100, description="in world units: an asset's are 1 or 2")]
Seconds = Annotated[float, Field(gt=0, le=2_592_000)]  # 30 days
Step = Annotated[int, Field(ge=0, le=1_000_000)]
Steps = Annotated[int, Field(ge=1, le=1_000_000)]
FractionSchedule = Fraction | tuple[Step, Fraction, Fraction, Step]  # see jsdpipe.base.schedules
Fovy = Annotated[float, Field(ge=4, le=170, description="vertical field of view in degrees")]  # radians are below 4
Elevation = Annotated[float, Field(ge=-90, le=90, description="degrees from the xy-plane")]
NonEmpty = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """Refuses unknown keys, silent conversions of type, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
