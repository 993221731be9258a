"""Settings of the view-dependent prompts."""

from pydantic import Field

from jsdpipe.recipes.strict import Positive, Strict


class Suffixes(Strict):
    """What is put after the prompt for a view's direction."""

    front: str
    side: str
    back: str
    overhead: str


class Views(Strict):
    """View-dependent prompts; the directions' limits are those of the public code."""

    suffixes: Suffixes
    front_deg: Positive = Field(default=45.0, description="|azimuth| below this is the front")
    back_deg: Positive = Field(default=135.0, description="|azimuth| above this is the back")
    overhead_deg: Positive = Field(default=60.0, description="elevation above this is overhead")
    perp_neg: bool = Field(description="Perp-Neg (arXiv 2304.04968)")
    negative_prompt: str = ""
