"""Settings of the objectives, one model each; the formulae are in `jsdpipe.objectives`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jsdpipe.base.fields import Factor, Fraction, FractionSchedule, LearningRate, Step, Strict
from jsdpipe.base.schedules import Schedule, value_at


def _ordered(ends: tuple[Schedule, Schedule]) -> tuple[Schedule, Schedule]:
    steps = {0, *(step for end in ends if isinstance(end, tuple) for step in (end[0], end[3]))}
    if any(value_at(ends[0], step) > value_at(ends[1], step) for step in steps):
        raise ValueError(f"must be [low, high] at every step, not {list(ends)}")
    return ends


Scale = Annotated[float, Field(ge=-1000, le=1000)]
GuidanceScale = Annotated[Scale, Field(description="s in e_null + s (e_text - e_null)")]
Timesteps = Annotated[float, Field(ge=1, le=1000)]
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


class SDS(Strict):
    """Score distillation sampling (arXiv 2209.14988)."""

    kind: Literal["sds"]
    guidance_scale: GuidanceScale
    t_range: RandomRange


class SJC(Strict):
    """Score Jacobian chaining (arXiv 2212.00774)."""

    kind: Literal["sjc"]
    guidance_scale: GuidanceScale
    t_range: RandomRange


class CSD(Strict):
    """Classifier score distillation (arXiv 2310.19415)."""

    kind: Literal["csd"]
    t_range: RandomRange


class NFSD(Strict):
    """Noise-free score distillation (arXiv 2310.17590)."""

    kind: Literal["nfsd"]
    guidance_scale: GuidanceScale
    t_range: RandomRange
    negative_prompt: str = Field(description="what the score of bad pictures is taken of, for all views alike")


class VSD(Strict):
    """Variational score distillation (arXiv 2305.16213)."""

    kind: Literal["vsd"]
    guidance_scale: GuidanceScale
    t_range: RandomRange
    adapter_lr: LearningRate = Field(description="of the adapter, by AdamW")
    camera_dropout: Fraction = Field(description="share of the adapter's training samples without the camera")


class AdversarialSD(VSD):
    """Adversarial score distillation (arXiv 2312.00739)."""

    kind: Literal["asd_adversarial"]  # type: ignore[assignment]
    gamma: Scale = Field(description="weight of the adapter's distance to the prior; negative in the public code")


class AsynchronousSD(Strict):
    """Asynchronous score distillation (arXiv 2407.02040)."""

    kind: Literal["asd_asynchronous"]
    guidance_scale: GuidanceScale
    t_range: RandomRange
    shift: Factor = Field(description="the later timestep is up to shift (t - t_min) later")


class ISM(Strict):
    """Interval score matching (arXiv 2311.11284)."""

    kind: Literal["ism"]
    guidance_scale: GuidanceScale
    t_range: RandomRange
    interval: Timesteps | tuple[Step, Timesteps, Timesteps, Step] = Field(
        description="timesteps between the two scores"
    )
    inversion_steps: Annotated[int, Field(ge=1, le=1000)]
    inversion_stride: Annotated[int, Field(ge=1, le=1000, description="most timesteps an inversion step takes")]


class SDI(Strict):
    """Score distillation via inversion (arXiv 2405.15891)."""

    kind: Literal["sdi"]
    guidance_scale: GuidanceScale
    inversion_scale: Scale = Field(description="scale of the DDIM inversion; negative in the public code")
    inversion_steps: Annotated[int, Field(ge=1, le=1000, description="nominal steps over the whole schedule")]
    inversion_eta: Factor = Field(description="extra noise a step, in units of the DDIM deviation")
    clamp_first_timestep: bool = Field(
        default=False, description="ask the U-Net at 0 where the public code asks at a negative timestep"
    )
    t_range: FallingRange


class JSD(SDI):
    """Jensen-Shannon score distillation (arXiv 2503.10660)."""

    kind: Literal["jsd"]  # type: ignore[assignment]
    k: Factor = Field(description="weight of the low-density (minority) term; 0 gives SDI")
    warm_up: Fraction = Field(default=0.0, description="share of the run, from its start, without that term")


Objective = Annotated[
    SDS | SJC | CSD | NFSD | VSD | AdversarialSD | AsynchronousSD | ISM | SDI | JSD, Field(discriminator="kind")
]
