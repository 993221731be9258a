"""sRGB's transfer function (IEC 61966-2-1), between stored values and linear light."""

import numpy as np
from numpy.typing import NDArray

LUMA = np.array([0.2126, 0.7152, 0.0722])  # of stored values, ITU-R BT.709


def to_linear(stored: NDArray[np.floating]) -> NDArray[np.float64]:
    """Decode stored values in [0, 1] to linear light in [0, 1]."""
    values = np.asarray(stored, np.float64)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def from_linear(light: NDArray[np.floating]) -> NDArray[np.float64]:
    """Encode linear light in [0, 1]: the inverse of `to_linear`."""
    values = np.asarray(light, np.float64)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def multiply(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Multiply two sRGB colors in linear light, as the whole package does."""
    return from_linear(to_linear(one) * to_linear(other))
