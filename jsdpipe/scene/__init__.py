"""What is optimised: a field of density and albedo with a background, and how it is rendered and kept in shape."""

from jsdpipe.scene.assets import Asset, build, evaluate
from jsdpipe.scene.files import Field, load, save
from jsdpipe.scene.regularisation import regularise
from jsdpipe.scene.rendering import Rendering

__all__ = ["Asset", "Field", "Rendering", "build", "evaluate", "load", "regularise", "save"]
