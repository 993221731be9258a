"""Image features, which are used to compare images."""
