"""Connected components and watertightness of a surface."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jsdpipe.mesh.surface import Surface


def component_labels(faces: NDArray[np.integer]) -> NDArray[np.int32]:
    """Label each face (F, 3) with its connected component (F,), from 0."""
    n = int(faces.max()) + 1
    ends = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    graph = coo_array((np.ones(len(ends[0]), bool), ends), shape=(n, n))
    labels = connected_components(graph, directed=False)[1][faces[:, 0]]
    # numbered again, because vertices without faces are components too
    return np.unique(labels, return_inverse=True)[1].astype(np.int32)


def merged(surface: Surface) -> NDArray[np.int64]:
    """The faces (F, 3) after merging vertices at the same place, so that seams of colors and textures are no edges."""
    _, which = np.unique(surface.vertices, axis=0, return_inverse=True)
    faces: NDArray[np.int64] = which[surface.faces]
    return faces


def is_watertight(faces: NDArray[np.int64]) -> bool:
    """Whether `merged` faces (F, 3) leave no hole.

    They do if each edge has two faces, in any orientation. Edges along which bodies touch have four faces or more; then
    each edge must be used equally often in both directions. A two-sided sheet, whose faces are their own backs, has no
    inside and does not count.
    """
    low, middle, high = np.sort(faces, axis=1).T
    faces = faces[(low < middle) & (middle < high)]  # without degenerate faces
    start, end = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    edges = np.minimum(start, end) * (faces.max(initial=0) + 1) + np.maximum(start, end)
    _, which, count = np.unique(edges, return_inverse=True, return_counts=True)
    if (count == 2).all():
        return len(faces) > 0
    passed = np.bincount(which, np.where(start < end, 1, -1))
    return not passed.any() and not _is_its_own_back(faces)


def _is_its_own_back(faces: NDArray[np.int64]) -> bool:
    """Whether the faces, all turned over, are the same faces in any order."""
    first = np.argmin(faces, axis=1)[:, None]
    front = np.take_along_axis(faces, (first + np.arange(3)) % 3, axis=1)  # each starting at its smallest index
    back = front[:, [0, 2, 1]]
    return np.array_equal(front[np.lexsort(front.T)], back[np.lexsort(back.T)])
