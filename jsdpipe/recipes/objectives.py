"""Settings of the objectives, one model each."""

from typing import Annotated, Literal

from pydantic import Field

from jsdpipe.recipes.strict import Fraction, NonNegative, Strict


class SDS(Strict):
    """Score distillation sampling (arXiv 2209.14988, eq. 3): gradient `w (e_s - eps)`, `w = 1 - alphas_cumprod`."""

    kind: Literal["sds"]
    guidance_scale: float = Field(description="s in e_null + s (e_text - e_null)")
    t_range: Annotated[tuple[Fraction, Fraction], Field(description="t is uniform in this range of the schedule")]


class JSD(Strict):
    """Jensen-Shannon score distillation (arXiv 2503.10660), as the public code computes it."""

    kind: Literal["jsd"]
    guidance_scale: float = Field(description="scale of both denoised estimates")
    inversion_scale: float = Field(description="scale of the DDIM inversion; negative in the public code")
    inversion_steps: Annotated[int, Field(ge=1, le=1000, description="nominal steps over the whole schedule")]
    inversion_eta: NonNegative = Field(description="extra noise a step, in units of the DDIM deviation")
    clamp_first_timestep: bool = Field(
        default=False, description="ask the U-Net at 0 where the public code asks at a negative timestep"
    )
    k: NonNegative = Field(description="weight of the low-density (minority) term; 0 gives SDI")
    t_range: Annotated[tuple[Fraction, Fraction], Field(description="t falls linearly from the second to the first")]


Objective = Annotated[SDS | JSD, Field(discriminator="kind")]
