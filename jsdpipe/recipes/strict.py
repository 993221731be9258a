"""What the models of a recipe share. Torch-free, because the workflow reads recipes while it plans."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Range = tuple[float, float]
Step = Annotated[int, Field(ge=0)]
FractionSchedule = Fraction | tuple[Step, Fraction, Fraction, Step]  # see jsdpipe.schedules


class Strict(BaseModel):
    """Refuses unknown keys, silent conversions of type, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
