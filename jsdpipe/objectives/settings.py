"""What the settings of objectives share. Torch-free, because the workflow reads recipes while it plans."""

from typing import Annotated

from pydantic import AfterValidator, Field

from jsdpipe.base.fields import Fraction, FractionSchedule, Strict
from jsdpipe.base.schedules import Schedule, value_at


class ObjectiveSettings(Strict):
    """Settings of an objective, of which the kind is what its class is registered as."""

    kind: str


def _ordered(ends: tuple[Schedule, Schedule]) -> tuple[Schedule, Schedule]:
    steps = {0, *(step for end in ends if isinstance(end, tuple) for step in (end[0], end[3]))}
    if any(value_at(ends[0], step) > value_at(ends[1], step) for step in steps):
        raise ValueError(f"must be [low, high] at every step, not {list(ends)}")
    return ends


Scale = Annotated[float, Field(ge=-1000, le=1000)]
GuidanceScale = Annotated[Scale, Field(description="s in e_null + s (e_text - e_null)")]
RandomRange = Annotated[
    tuple[FractionSchedule, FractionSchedule],
    AfterValidator(_ordered),
    Field(description="t is uniform in this range of the schedule, in shares; either end may change over the run"),
]
FallingRange = Annotated[
    tuple[Fraction, Fraction],
    AfterValidator(_ordered),
    Field(description="t falls linearly from the second to the first, in shares"),
]
