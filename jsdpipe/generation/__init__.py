"""Optimizing scenes under an objective: batches of assets, and the stage `generate`."""

from jsdpipe.generation.asset import generate_one

__all__ = ["generate_one"]
