"""Clouds of colored points on surfaces, and how near one is to another.

Places are normalized: the mean of a cloud's points is the origin, and the root mean square of their distances to it is
1. Unlike a bounding box, this hardly depends on a few points far away. The pose is kept.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from skimage.color import rgb2lab


@dataclass(frozen=True, eq=False)
class Cloud:
    """Normalized places (P, 3) and CIELAB colors (P, 3)."""

    places: NDArray[np.float64]
    lab: NDArray[np.float64]

    @classmethod
    def of(cls, places: NDArray[np.float64], colors: NDArray[np.float64]) -> Self:
        """The cloud of points at any places (P, 3), of sRGB colors (P, 3) in [0, 1]."""
        centered = places - places.mean(axis=0)
        return cls(centered / np.sqrt((centered**2).sum(axis=1).mean()), rgb2lab(colors))

    @cached_property
    def tree(self) -> KDTree:
        return KDTree(self.places)
