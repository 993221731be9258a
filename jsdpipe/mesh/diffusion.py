"""Heat that flows along a mesh, which blurs any values at its vertices."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import splu

THINNEST = 1e-4  # of a triangle's longest edge; heat flows through lower triangles as if they were this high
LEAST = 1e-12  # of a mesh's area: what a vertex has that only triangles without area share


def diffused(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], values: NDArray[np.float64], deviation: float
) -> NDArray[np.float64]:
    """Values (V, C) at vertices (V, 3) after heat has flown so far that a point has become a spot of this deviation.

    One implicit step of the heat equation by linear finite elements: (M + t L) x = M x0, where L is the cotangent
    Laplacian, M the vertices' areas, and t half the square of the deviation. A value's mean over the area stays.
    (Desbrun et al. 1999, "Implicit Fairing of Irregular Meshes using Diffusion and Curvature Flow")
    """
    n = len(vertices)
    corners = vertices[faces]
    sides = corners[:, [2, 0, 1]] - corners[:, [1, 2, 0]]  # of each corner, the side that faces it
    doubled = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    # all weights of a triangle shrink by one factor, so that L stays positive semidefinite
    height = np.maximum(doubled, THINNEST * (sides**2).sum(axis=2).max(axis=1))
    dots = -(sides[:, [1, 2, 0]] * sides[:, [2, 0, 1]]).sum(axis=2)
    weights = np.divide(dots, 2 * height[:, None], out=np.zeros_like(dots), where=height[:, None] > 0).ravel()
    start, end = faces[:, [1, 2, 0]].ravel(), faces[:, [2, 0, 1]].ravel()
    rows, columns = (np.concatenate(of) for of in ((start, end, start, end), (end, start, start, end)))
    laplacian = csc_array((np.concatenate([-weights, -weights, weights, weights]), (rows, columns)), shape=(n, n))
    mass = areas(faces, doubled / 2, n)
    system = csc_array(diags_array(mass) + deviation**2 / 2 * laplacian)
    solver = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    solved: NDArray[np.float64] = solver.solve(mass[:, None] * values)
    return solved


def areas(faces: NDArray[np.int64], of_faces: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The areas (n,) of vertices: a third of each face's (F,) that they are a corner of, and never 0."""
    mass = np.bincount(faces.ravel(), np.repeat(of_faces / 3, 3), minlength=n)
    return np.maximum(mass, LEAST * of_faces.sum())
