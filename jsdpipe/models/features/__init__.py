"""Features of images, by which they are compared."""
