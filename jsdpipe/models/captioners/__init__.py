"""Captioners: they describe an image in a sentence."""
