"""Cosines of images and texts as rewards."""

import numpy as np
from numpy.typing import NDArray

FLOOR = -2.25  # about the lowest reward that ImageReward gives


def normalized(cosines: NDArray[np.float64], mean: float, std: float) -> NDArray[np.float64]:
    """Rewards on ImageReward's scale, as T3Bench's protocol expects: about N(0, 1) over matching pairs.

    They are clipped at `FLOOR`, because e.g. a black image may be many deviations lower and dominate all means.
    """
    return np.maximum((cosines - mean) / std, FLOOR)
