"""Scenes as multi-resolution hash grids."""
