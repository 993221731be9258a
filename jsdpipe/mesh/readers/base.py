"""What the readers share: the parts that they yield, their notes and errors, and the arithmetic of colors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import printable
from jsdpipe.mesh.srgb import multiply
from jsdpipe.mesh.surface import Texture

GREY = np.array([102, 102, 102], np.uint8)  # trimesh's default color
SEE_THROUGH = "has colors that let things behind them show through, which are drawn opaque"
CLIPPED = "has colors as floats above 1, which are clipped to 1"


class BadMesh(Exception):
    """A file holds no mesh that can be scored; the message, one line, says which file and why."""


class Notes(list[str]):
    """Sentences on what a file has that its surface lacks, each once.

    Args:
        require_materials: raise `BadMesh` for a missing material or image instead of noting it.
    """

    def __init__(self, require_materials: bool = False) -> None:
        super().__init__()
        self._require_materials = require_materials

    def add(self, what: str) -> None:
        """Note that the file `what`, such as "has lights, which are left out"."""
        if (sentence := printable(f"The file {what}.")) not in self:
            self.append(sentence)

    def add_missing(self, what: str) -> None:
        """As `add`, for a missing file or material that only colors depend on."""
        if self._require_materials:
            raise BadMesh(f"{what}; restore it, or set mesh.missing_material: grey")
        self.add(what)


@dataclass(frozen=True)
class Part:
    """Triangles with one material.

    Args:
        vertices: (V, 3), in the file's axes.
        faces: (F, 3), indices into `vertices`; `BadMesh` if one is out of range.
        colors: (V, 3), or (1, 3) for all vertices.
        uv: (V, 2), v upwards, if there is a texture.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    colors: NDArray[np.uint8]
    uv: NDArray[np.floating] | None = None
    texture: Texture | None = None

    def __post_init__(self) -> None:
        check_indices(self.faces, len(self.vertices))


def check_indices(corners: NDArray[np.integer], vertices: int) -> None:
    """Raise `BadMesh` unless all `corners` are indices of that many vertices."""
    if corners.size and not 0 <= corners.min() <= corners.max() < vertices:
        raise BadMesh("a face names a vertex that is not there")


def triangulate(polygons: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split polygons of N corners each (F, N) into triangle fans around their first corners (F * (N - 2), 3)."""
    columns = [(0, at, at + 1) for at in range(1, polygons.shape[1] - 1)]
    return polygons[:, np.array(columns, np.int64).reshape(-1, 3)].reshape(-1, 3)


def unit_colors(values: NDArray[Any], notes: Notes) -> NDArray[np.float64]:
    """Scale colors (N, C) to [0, 1], from files that do not state their range.

    Integers range over 0..255, or over 0..the type's maximum if one is above 255. Floats range over [0, 1], or over
    0..255 if one is above 1 and all are whole numbers of 0..255. Floats above 1 may remain.
    """
    if values.dtype.kind in "iu":
        return values / (255 if values.max(initial=0) <= 255 else np.iinfo(values.dtype).max)
    floats = np.nan_to_num(values.astype(np.float64))
    if floats.max(initial=0) <= 1:
        return floats
    if floats.min() >= 0 and floats.max() <= 255 and (floats % 1 == 0).all():
        notes.add("has colors as floats above 1, which are taken as of 0..255")
        return floats / 255
    notes.add(CLIPPED)
    return floats


def base_colors(own: NDArray[Any] | None, factor: NDArray[Any] | None) -> NDArray[np.uint8]:
    """Multiply vertices' own colors (N, 3 or 4) by a material's (3 or 4,); returns (N or 1, 3), white without either.

    Both are sRGB, as floats in [0, 1] or as unsigned integers; alphas are ignored.
    """
    given = [_unit(np.atleast_2d(colors)) for colors in (own, factor) if colors is not None]
    product = multiply(*given) if len(given) == 2 else given[0] if given else np.ones((1, 3))
    return (product * 255).round().astype(np.uint8)


def _unit(colors: NDArray[Any]) -> NDArray[np.float64]:
    rgb = colors[:, :3]
    unit = np.nan_to_num(rgb) if rgb.dtype.kind == "f" else rgb / np.iinfo(rgb.dtype).max
    return np.asarray(unit, np.float64).clip(0, 1)
