"""Points that are spread evenly over the surfaces of scenes of the miniature world.

They are the places where random lines cross a surface: lines that are uniform in a ball meet every piece of surface in
it with a probability that is proportional to its area (Crofton's formula). Nothing is too thin for this, as it may be
for a grid.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jsdpipe.miniature.solids import Scene
from jsdpipe.miniature.tracing import REACH, compiled, packed, paint, signed_distance

STEP = 0.004  # the longest step across a surface; the thinnest part, in a pair, is 0.011 thick
INSIDE = 0.03  # the longest step inside solids, where an ellipsoid's distance is too large


@dataclass(frozen=True)
class SurfacePoints:
    """P points of one scene: their places (P, 3), colors (P, 3) in [0, 1], and the number of each one's solid (P,)."""

    places: NDArray[np.float64]
    colors: NDArray[np.float64]
    solids: NDArray[np.uint8]


def surface_points(scenes: Scene, count: int, rng: np.random.Generator) -> list[SurfacePoints]:
    """Draw `count` points of each of B scenes, area-uniformly; the inner sides of cavities are surface too."""
    parts = np.stack([packed(part) for solid in scenes for part in solid], axis=1)
    starts = np.cumsum([0, *map(len, scenes)])
    drawn = []
    for of_scene in parts:
        places, colors, solids = np.zeros((count, 3)), np.zeros((count, 3)), np.zeros(count, np.uint8)
        done = 0
        while done < count:
            done = _cross(of_scene, starts, *_lines(count, rng), places, done)
        _look(of_scene, starts, places, colors, solids)
        drawn.append(SurfacePoints(places, colors, solids))
    return drawn


def _lines(count: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Uniform random lines through the ball: the points (N, 3) that are nearest to its center, and directions."""
    directions, sideways = rng.standard_normal((2, count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    sideways -= (sideways * directions).sum(axis=1, keepdims=True) * directions
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True)
    return REACH * np.sqrt(rng.random((count, 1))) * sideways, directions


@compiled()
def _cross(parts: NDArray, starts: NDArray, middles: NDArray, directions: NDArray, places: NDArray, done: int) -> int:
    """Write the points where lines cross the surface, from number `done` on; returns how many there are then."""
    for line in range(len(middles)):
        o, u = middles[line], directions[line]
        end = np.sqrt(REACH * REACH - (o[0] * o[0] + o[1] * o[1] + o[2] * o[2]))
        t, before, longest = -end, 0.0, np.inf  # where a line enters the ball, it is outside of all solids
        while t < end:
            step = min(max(0.95 * abs(before), STEP), longest)
            a = t + step
            after = signed_distance(parts, starts, o[0] + a * u[0], o[1] + a * u[1], o[2] + a * u[2])
            crosses = (after < 0) != (before < 0)
            if crosses and step > STEP:
                longest = step / 2
                continue
            if crosses:
                a -= step * after / (after - before)
                for i in range(3):
                    places[done, i] = o[i] + a * u[i]
                done += 1
                if done == len(places):
                    return done
            t, before = t + step, after
            longest = INSIDE if after < 0 else np.inf
    return done


@compiled()
def _look(parts: NDArray, starts: NDArray, places: NDArray, colors: NDArray, solids: NDArray) -> None:
    """Write the colors of points on the surface, and the numbers of their solids."""
    for p in range(len(places)):
        x, y, z = places[p]
        paint(parts, x, y, z, colors[p])
        nearest = np.inf
        for s in range(len(starts) - 1):
            d = abs(signed_distance(parts, starts[s : s + 2], x, y, z))
            if d < nearest:
                nearest = d
                solids[p] = s
