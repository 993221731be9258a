"""Judges: they grade how well captions cover a prompt."""
