"""What is optimised: a field of density and albedo with a background, and how it is rendered and kept in shape."""

from jsdpipe.scene.files import Field, load, save
from jsdpipe.scene.regularisers import opaque, regularise, sparsity, total_variation
from jsdpipe.scene.rendering import Rendering, render
from jsdpipe.scene.voxels import Volume, Voxels

__all__ = [
    "Field",
    "Rendering",
    "Volume",
    "Voxels",
    "load",
    "opaque",
    "regularise",
    "render",
    "save",
    "sparsity",
    "total_variation",
]
