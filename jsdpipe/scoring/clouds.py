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

from jsdpipe.miniature.likeness import NEAR, SIMILAR

POINTS = 4096  # of a cloud; of evenly spread points, the next one is about 0.03 away
# silhouettes
VIEWS = 12
ELEVATION_DEG = 15.0
PIXEL = NEAR
SIDE = 50  # pixels
_AXIS = np.linspace(-1.2, 1.2, 5)
PROBES = np.stack(np.meshgrid(_AXIS, _AXIS, _AXIS, indexing="ij"), axis=-1).reshape(-1, 3)


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

    def distances(self, other: Self) -> "Distances":
        """How far each of its points is from the nearest one of another cloud."""
        away, nearest = other.tree.query(self.places)
        return Distances(away, np.linalg.norm(self.lab - other.lab[nearest], axis=1))


@dataclass(frozen=True)
class Distances:
    """Of each point (P,), the distance to the nearest one of another cloud, and the distance of their colors."""

    places: NDArray[np.float64]
    colors: NDArray[np.float64]

    @property
    def near(self) -> NDArray[np.bool_]:
        """Whether the nearest point is near (P,)."""
        return self.places <= NEAR

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Whether the nearest point is near and of a similar color (P,)."""
        return self.near & (self.colors <= SIMILAR)


@dataclass(frozen=True)
class Comparison:
    """The distances of an asset's points from a true cloud, and those of the true points from the asset."""

    asset: Distances
    truth: Distances

    @classmethod
    def of(cls, asset: Cloud, truth: Cloud) -> Self:
        return cls(asset.distances(truth), truth.distances(asset))

    @property
    def chamfer(self) -> float:
        """The mean distance to the nearest point, mean over both directions."""
        return float(self.asset.places.mean() + self.truth.places.mean()) / 2

    @property
    def color_error(self) -> float:
        """The mean CIELAB distance from the nearest point's color, mean over both directions."""
        return float(self.asset.colors.mean() + self.truth.colors.mean()) / 2

    @property
    def f_score(self) -> float:
        """The F-score of the points that are near."""
        return _f_score(self.asset.near, self.truth.near)

    @property
    def colored_f_score(self) -> float:
        """The F-score of the points that are near and of a similar color."""
        return _f_score(self.asset.matched, self.truth.matched)

    @property
    def both(self) -> float:
        """The distance in place and color together, each in units of its threshold."""
        return self.chamfer / NEAR + self.color_error / SIMILAR


def _f_score(asset: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """The harmonic mean of precision, the share of the asset's points, and recall, the share of the true ones."""
    precision, recall = float(asset.mean()), float(truth.mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def silhouettes(cloud: Cloud) -> NDArray[np.bool_]:
    """A cloud's silhouettes (VIEWS, pixels) by parallel projection, from a ring of views that starts at the front.

    A pixel is covered if a point falls on it; points beyond the picture are drawn at its edge.
    """
    azimuth, elevation = np.arange(VIEWS) * 2 * np.pi / VIEWS, np.full(VIEWS, np.deg2rad(ELEVATION_DEG))
    right = np.stack((-np.sin(azimuth), np.cos(azimuth), np.zeros(VIEWS)))
    up = np.stack((-np.sin(elevation) * np.cos(azimuth), -np.sin(elevation) * np.sin(azimuth), np.cos(elevation)))
    column, row = (((cloud.places @ axes) / PIXEL + SIDE / 2).astype(int).clip(0, SIDE - 1) for axes in (right, up))
    pictures = np.zeros((VIEWS, SIDE * SIDE), bool)
    pictures[np.arange(VIEWS), row * SIDE + column] = True
    return pictures


def overlaps(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The intersection over union of silhouettes (..., VIEWS, pixels) view by view (..., VIEWS)."""
    overlap: NDArray[np.float64] = (one & other).sum(axis=-1) / (one | other).sum(axis=-1)
    return overlap


def features(cloud: Cloud) -> NDArray[np.float32]:
    """A vector (4 * len(PROBES),) of a cloud: how far each probe is from the surface, and the color there.

    The squared distance of two vectors is the mean over the probes of the squared differences, each in units of its
    threshold.
    """
    away, nearest = cloud.tree.query(PROBES)
    described = np.concatenate((away / NEAR, cloud.lab[nearest].ravel() / SIMILAR)) / np.sqrt(len(PROBES))
    return described.astype(np.float32)
