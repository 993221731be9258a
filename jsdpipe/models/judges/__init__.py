"""Judges: how well captions cover a prompt."""
