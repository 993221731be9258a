"""Damages: surfaces made worse in a known way, most by a dose; `DOSES` in `jsdpipe.config.control` has the units."""

from collections.abc import Callable
from dataclasses import replace

import fast_simplification
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from skimage.color import hsv2rgb, rgb2hsv
from trimesh.triangles import area, closest_point, points_to_barycentric

from jsdpipe.base.seeding import seed_of
from jsdpipe.mesh.diffusion import areas, diffused
from jsdpipe.mesh.reading import BadMesh
from jsdpipe.mesh.refinement import beyond, kept, refined
from jsdpipe.mesh.srgb import LUMA
from jsdpipe.mesh.surface import Surface
from jsdpipe.mesh.vertex_colors import FINEST, extent, untextured

HOLE = 0.06  # a hole's radius, as a share of the mesh's extent
FEWEST = 4  # faces that decimation leaves
CANDIDATES = 8  # faces with the nearest centers, among which the nearest face is sought


def black(surface: Surface) -> Surface:
    """The surface all in black, of which no view shows anything."""
    untextured = np.full_like(surface.texture, -1)
    return replace(surface, colors=np.zeros_like(surface.colors), texture=untextured, textures=())


def two_faces(surface: Surface) -> Surface:
    """The half in front of the bounding box's center, and the same half, turned by 180 degrees about z, as its back.

    Raises `BadMesh` if there is nothing in front of the center.
    """
    center = (surface.vertices.min(axis=0) + surface.vertices.max(axis=0)) / 2
    front = beyond(surface, center[0])
    if not len(front.faces):
        raise BadMesh("it is flat, so it has no front half")
    turned = 2 * center[:2] - front.vertices[:, :2]
    return replace(
        front,
        vertices=np.concatenate([front.vertices, np.column_stack([turned, front.vertices[:, 2]])]),
        faces=np.concatenate([front.faces, front.faces + len(front.vertices)]),
        colors=np.tile(front.colors, (2, 1)),
        uv=np.tile(front.uv, (2, 1)),
        texture=np.tile(front.texture, 2),
    )


def blurred(surface: Surface, dose: float) -> Surface:
    """The surface with its colors, as stored in sRGB, blurred along it; textures become colors of vertices."""
    deviation = dose * extent(surface)
    surface = _resolving(untextured(surface), deviation)
    places, faces = _welded(surface)
    # where colors meet in a vertex, its color is their mean by area
    weight = area(surface.vertices[surface.faces])
    sums = [np.bincount(faces.ravel(), (weight[:, None] * of[surface.faces]).ravel() / 3) for of in surface.colors.T]
    colors = np.stack(sums, axis=1) / areas(faces, weight, len(places))[:, None]
    return Surface.colored(places, faces, _stored(diffused(places, faces, colors, deviation)))


def smoothed(surface: Surface, dose: float) -> Surface:
    """The surface with its vertices' places blurred along it, so that it loses edges, thin parts and size."""
    deviation = dose * extent(surface)
    surface = _resolving(surface, deviation)
    places, which = np.unique(surface.vertices, axis=0, return_inverse=True)
    return surface.at(diffused(places, which[surface.faces], places, deviation)[which])


def saturated(surface: Surface, dose: float) -> Surface:
    """The surface with colors 1 + dose times as far from the grey of their luma, as far as sRGB has them."""

    def change(colors: NDArray[np.float64]) -> NDArray[np.float64]:
        grey = (colors @ LUMA)[..., None]
        return grey + (1 + dose) * (colors - grey)

    return _recolored(surface, change)


def hue_turned(surface: Surface, dose: float) -> Surface:
    """The surface with the hues of its colors, as in HSV, turned by degrees; 120 turn red into green."""

    def change(colors: NDArray[np.float64]) -> NDArray[np.float64]:
        hsv = rgb2hsv(colors)
        hsv[..., 0] = (hsv[..., 0] + dose / 360) % 1
        turned: NDArray[np.float64] = hsv2rgb(hsv)
        return turned

    return _recolored(surface, change)


def tilted(surface: Surface, dose: float) -> Surface:
    """The surface turned about x by degrees, counterclockwise as seen from its front."""
    cos, sin = np.cos(np.radians(dose)), np.sin(np.radians(dose))
    return surface.at(surface.vertices @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]).T)


def decimated(surface: Surface, dose: float) -> Surface:
    """The surface with a share of its faces removed by collapsing edges (Garland and Heckbert 1997).

    Textures become colors of vertices first, for which long edges are divided. A vertex gets the color of the nearest
    point of the surface.
    """
    surface = untextured(surface)
    places, faces = _welded(surface)
    low, middle, high = np.sort(faces, axis=1).T
    faces = faces[(low < middle) & (middle < high)].astype(np.int32)
    left = max(round((1 - dose) * len(faces)), min(FEWEST, len(faces)))
    places, faces = fast_simplification.simplify(places, faces, target_count=left)
    return Surface.colored(places, faces, _colors_at(surface, places))


def holes(surface: Surface, dose: float, *key: str | int) -> Surface:
    """The surface without a share of its area: the faces in balls about points drawn on it; `key` seeds the draws.

    The holes of a dose are among those of a higher one.
    """
    radius = HOLE * extent(surface)
    surface = refined(surface, radius / 2)
    corners = surface.vertices[surface.faces]
    of_faces, centers = area(corners), corners.mean(axis=1)
    left, tree, rng = np.ones(len(corners), bool), KDTree(centers), np.random.default_rng(seed_of(*key))
    ends, enough = np.cumsum(of_faces), (1 - dose) * of_faces.sum()
    while of_faces[left].sum() > enough:
        face = min(int(np.searchsorted(ends, rng.random() * ends[-1], side="right")), len(ends) - 1)
        a, b, c = corners[face]
        u, v = sorted(rng.random(2))
        point = u * a + (v - u) * b + (1 - v) * c
        near = np.array(tree.query_ball_point(point, radius, return_sorted=True), np.int64)
        near = near[left[near]]
        near = near[np.argsort(np.linalg.norm(centers[near] - point, axis=1), kind="stable")]
        # of the last ball only as much as is due, from its center on
        before = np.cumsum(of_faces[near]) - of_faces[near]
        left[near[before < of_faces[left].sum() - enough]] = False
    return kept(surface, left)


WITHOUT_DOSE: dict[str, Callable[[Surface], Surface]] = {"black": black, "two-faces": two_faces}
WITH_DOSE: dict[str, Callable[[Surface, float], Surface]] = {
    "blurred": blurred,
    "smoothed": smoothed,
    "saturated": saturated,
    "decimated": decimated,
    "tilted": tilted,
    "hue-turned": hue_turned,
}


def _resolving(surface: Surface, deviation: float) -> Surface:
    """The surface with triangles small enough for a blur of this deviation, but no finer than `FINEST`."""
    return refined(surface, max(deviation, FINEST * extent(surface)))


def _welded(surface: Surface) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The places (V, 3) of vertices, each once, and the faces (F, 3) between them."""
    places, which = np.unique(surface.vertices, axis=0, return_inverse=True)
    return places, which[surface.faces]


def _recolored(surface: Surface, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Surface:
    """Change all colors (..., 3), in [0, 1] as stored in sRGB."""
    # a product of two colors is not the product of the changed ones
    surface = untextured(surface) if surface.tinted else surface

    def changed(stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return _stored(255 * change(stored / 255))

    textures = tuple(
        replace(of, pixels=np.concatenate([changed(of.pixels[..., :3]), of.pixels[..., 3:]], axis=2))
        for of in surface.textures
    )
    return replace(surface, colors=changed(surface.colors), textures=textures)


def _stored(colors: NDArray[np.float64]) -> NDArray[np.uint8]:
    return colors.round().clip(0, 255).astype(np.uint8)


def _colors_at(surface: Surface, points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The colors (N, 3) of the points of a surface without textures that are nearest to points (N, 3)."""
    faces_with_area = surface.faces[area(surface.vertices[surface.faces]) > 0]
    corners = surface.vertices[faces_with_area]
    count = min(CANDIDATES, len(corners))
    _, faces = KDTree(corners.mean(axis=1)).query(points, k=range(1, count + 1))
    found = closest_point(corners[faces.ravel()], np.repeat(points, count, axis=0)).reshape(-1, count, 3)
    best = np.linalg.norm(found - points[:, None], axis=2).argmin(axis=1)[:, None]
    face = np.take_along_axis(faces, best, axis=1)[:, 0]
    point = np.take_along_axis(found, best[..., None], axis=1)[:, 0]
    weights = points_to_barycentric(corners[face], point).clip(0)  # rounding in slivers
    blended = (weights[..., None] * surface.colors[faces_with_area[face]]).sum(axis=1)
    return _stored(blended / weights.sum(axis=1, keepdims=True))
