"""Rewards: how well an image shows a text."""
