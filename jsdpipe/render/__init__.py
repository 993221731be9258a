"""Views of meshes, by the cameras of the protocols."""
