"""Heatmaps of the similarity of a prompt's seeds: one color per pair, on one scale for the whole run."""

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from PIL import Image

STEPS = 20  # from 0 to 1
COLORS: Any = matplotlib.colormaps["cividis"]  # safe for the color-blind


@dataclass(frozen=True)
class Scale:
    """A color scale of cosine similarities, from `low` (dark) to 1 (bright)."""

    low: float

    @classmethod
    def of(cls, matrices: Iterable[pd.DataFrame]) -> "Scale":
        """The scale whose low end is the smallest similarity, rounded down to a multiple of 1 / `STEPS`."""
        least = min((float(np.nanmin(matrix)) for matrix in matrices), default=1)
        return cls(min(math.floor(least * STEPS), STEPS - 1) / STEPS)

    def color(self, value: float) -> str:
        """The color of a value, as HTML writes it."""
        return to_hex(COLORS(self._place(value)))

    def ink(self, value: float) -> str:
        """The color of text on top of it."""
        return "#000000" if self._place(value) > 0.5 else "#ffffff"

    def picture(self, matrix: pd.DataFrame) -> str:
        """A PNG with one pixel per pair, as a data URI; pairs without a value are transparent."""
        pixels = np.rint(255 * COLORS(self._place(matrix.to_numpy()))).astype(np.uint8)
        pixels[matrix.isna()] = 0
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"

    def _place(self, value: float | np.ndarray) -> float | np.ndarray:
        return (value - self.low) / (1 - self.low)
