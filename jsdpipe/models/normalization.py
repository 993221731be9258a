"""Cosines of images and texts as rewards."""

import numpy as np
from numpy.typing import NDArray

FLOOR = -2.25  # about the least that ImageReward gives


def normalized(cosines: NDArray[np.float64], mean: float, std: float) -> NDArray[np.float64]:
    """Rewards on ImageReward's scale, for which T3Bench's protocol is made: about N(0, 1) over true pairs.

    Not below `FLOOR`: a black image, for example, may be many deviations off, and would outweigh all other assets.
    """
    return np.maximum((cosines - mean) / std, FLOOR)
