"""Settings of the view-dependent prompts. Torch-free, because the workflow reads recipes while it plans."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from jsdpipe.base.fields import Factor, Strict

PLACE = "{prompt}"


def _with_place(text: str) -> str:
    if text.count(PLACE) != 1:
        raise ValueError(f"must have {PLACE} once, where the prompt stands")
    return text


Template = Annotated[str, AfterValidator(_with_place)]


class Templates(Strict):
    """The text of each direction, with `{prompt}` where the prompt stands."""

    front: Template
    side: Template
    back: Template
    overhead: Template


class PerpNeg(Strict):
    """Perp-Neg (arXiv 2304.04968): pushes away from the texts of wrong directions."""

    weights: Literal["threestudio", "luciddreamer"] = Field(
        description="the public code whose weights, by azimuth, the pushes have; adversarial ASD has LucidDreamer's"
    )
    factor: Factor = Field(default=1.0, description="of all weights")


def _false_or_mapping(value: Any) -> Any:
    if value is not False and not isinstance(value, dict | PerpNeg):
        raise ValueError("must be false, or a mapping such as {weights: threestudio}")
    return value


class ViewPrompts(Strict):
    """View-dependent prompts.

    Public codes differ in the limits: threestudio's defaults are 45 and 135 degrees, but the configurations of VSD,
    both ASDs and CSD's first stage state 30 and 150, and LucidDreamer (ISM) interpolates.
    """

    templates: Templates
    front_deg: float = Field(ge=4, le=180, description="|azimuth| below this is the front")
    back_deg: float = Field(ge=4, le=180, description="|azimuth| above this is the back")
    overhead_deg: float = Field(ge=4, le=90, description="elevation above this is overhead")
    interpolate: bool = Field(
        default=False,
        description="mix the texts of neighboring directions by azimuth, without limits, as Perp-Neg always does",
    )
    perp_neg: Annotated[PerpNeg | Literal[False], BeforeValidator(_false_or_mapping)]
    negative_prompt: str = Field(default="", description="in place of the empty null text")
