"""From where on places, colors and silhouettes of normalized scenes count as equal; docs/controls.md justifies it."""

NEAR = 0.1  # the largest distance of places, where the root mean square of all distances to the mean is 1
SIMILAR = 20.0  # the largest distance of colors in CIELAB, where black and white are 100 apart
MET = 0.8  # the least intersection over union of silhouettes
