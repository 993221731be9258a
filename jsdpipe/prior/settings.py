"""Settings of the view-dependent prompts. Torch-free, because the workflow reads recipes while it plans."""

from pydantic import Field

from jsdpipe.base.fields import Strict


class Suffixes(Strict):
    """What is put after the prompt for a view's direction."""

    front: str
    side: str
    back: str
    overhead: str


class ViewPrompts(Strict):
    """View-dependent prompts; the directions' limits are the public code's."""

    suffixes: Suffixes
    front_deg: float = Field(default=45.0, ge=4, le=180, description="|azimuth| below this is the front")
    back_deg: float = Field(default=135.0, ge=4, le=180, description="|azimuth| above this is the back")
    overhead_deg: float = Field(default=60.0, ge=4, le=90, description="elevation above this is overhead")
    perp_neg: bool = Field(description="Perp-Neg (arXiv 2304.04968)")
    negative_prompt: str = ""
