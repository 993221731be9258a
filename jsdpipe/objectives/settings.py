"""What the settings of objectives share. Torch-free, because the workflow reads recipes while it plans."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jsdpipe.base.fields import Betas, Epsilon, Factor, Fraction, FractionSchedule, LearningRate, NonEmpty, Strict
from jsdpipe.base.schedules import Schedule, value_at


class ObjectiveSettings(Strict):
    """Settings of an objective, of which the kind is what its class is registered as."""

    kind: str


class OtherUNet(Strict):
    """A model whose U-Net alone is taken: a folder in diffusers' format, or a hub id."""

    model: NonEmpty
    revision: str | None = None


class AdamW(Strict):
    """AdamW's settings, of which the defaults are PyTorch's."""

    betas: Betas = (0.9, 0.999)
    eps: Epsilon = 1e-8
    weight_decay: Factor = 0.01


class AdapterSettings(ObjectiveSettings):
    """Settings of an objective that trains an adapter on its renders."""

    adapter: OtherUNet | None = Field(default=None, description="what the adapter sits on; without: the prior's U-Net")
    adapter_loss: Literal["noise", "velocity"] = Field(
        default="noise",
        description="what the loss compares; the public codes take what the adapter's U-Net predicts",
    )
    adapter_lr: LearningRate = Field(description="of the adapter, by AdamW")
    adapter_optimizer: AdamW = AdamW()
    camera_dropout: Fraction = Field(description="share of the adapter's training samples without the camera")


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
