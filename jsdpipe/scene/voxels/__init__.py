"""Scenes as dense voxel grids."""
