"""Numbers that stand for colours in files which don't say what range they are of."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdpipe.mesh.readers.files import Notes

SEE_THROUGH = "has colours that let things behind them through, which is left out"
TAKEN_AS_1 = "has colours as floats above 1, which are taken as 1"


def shares(values: NDArray[Any], notes: Notes) -> NDArray[np.float64]:
    """Colours (N, C) as shares of 1, to be clipped.

    Whole numbers, of any integer type, are of 0..255, or, if one is above that, of 0..the type's greatest. Floats are
    shares; but if one is above 1 and all are whole numbers of 0..255, they are of 0..255.
    """
    if values.dtype.kind in "iu":
        return values / (255 if values.max(initial=0) <= 255 else np.iinfo(values.dtype).max)
    of = np.nan_to_num(values.astype(np.float64))
    if of.max(initial=0) <= 1:
        return of
    if of.min() >= 0 and of.max() <= 255 and (of % 1 == 0).all():
        notes.say("has colours as floats above 1, which are taken as of 0..255")
        return of / 255
    notes.say(TAKEN_AS_1)
    return of
