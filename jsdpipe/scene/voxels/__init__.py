"""A scene of dense voxels."""
