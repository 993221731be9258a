"""What the models of a recipe share. Torch-free, because the workflow reads recipes while it plans."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Step = Annotated[int, Field(ge=0)]
FractionSchedule = Fraction | tuple[Step, Fraction, Fraction, Step]  # see jsdpipe.schedules
Fovy = Annotated[float, Field(gt=0, lt=180, description="vertical field of view in degrees")]
Elevation = Annotated[float, Field(ge=-90, le=90, description="degrees from the xy-plane")]
NonEmpty = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """Refuses unknown keys, silent conversions of type, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
