"""Rewards: they score how well an image shows a text."""
