"""Whether an asset's views are recognised as what its prompt names."""

import re

import numpy as np
from numpy.typing import NDArray


def named_class(prompt: str, classes: tuple[str, ...]) -> int | None:
    """The index of the one class that the prompt names as a whole word; None if it names none or several."""
    longest_first = sorted(classes, key=len, reverse=True)
    words = re.findall(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", prompt, flags=re.IGNORECASE)
    found = {word.lower() for word in words}
    named = [index for index, name in enumerate(classes) if name.lower() in found]
    return named[0] if len(named) == 1 else None


def recognition(
    prompt: str, probabilities: dict[int, NDArray[np.float64]], classes: tuple[str, ...]
) -> dict[str, float] | None:
    """By seed, the share of views (V, K) whose top class is the prompt's; None if it does not name exactly one."""
    named = named_class(prompt, classes)
    if named is None:
        return None
    return {str(seed): float((p.argmax(axis=1) == named).mean()) for seed, p in probabilities.items()}
