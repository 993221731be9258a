"""The frozen text-to-image model: latents, view-dependent prompts, guided noise prediction."""

from jsdpipe.prior.guidance import Guidance, ViewPrompts
from jsdpipe.prior.loading import load_prior
from jsdpipe.prior.prior import Prior

__all__ = ["Guidance", "Prior", "ViewPrompts", "load_prior"]
