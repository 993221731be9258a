"""jsdpipe: a benchmark of text-to-3D generation by score distillation."""

__version__ = "0.1.0"
