"""Similarities of images and texts."""
