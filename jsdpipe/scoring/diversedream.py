"""DiverseDream's measures of how much the assets of one prompt differ (arXiv 2312.02192, and its public code)."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

ROUNDING = 1e-6


def entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy in nats over the last axis."""
    return entr(probabilities).sum(axis=-1)


def iq(probabilities: NDArray[np.float64]) -> float:
    """Mean entropy of the images' class probabilities (..., K): lower is better.

    Taken view by view it is the same, since all assets have all views.
    """
    return float(entropy(probabilities).mean())


def iv(probabilities: NDArray[np.float64]) -> float:
    """Entropy of the mean class probabilities of all images (..., K): higher is better, at least IQ, at most ln K."""
    return float(entropy(probabilities.reshape(-1, probabilities.shape[-1]).mean(axis=0)))


def iv_per_view(probabilities: NDArray[np.float64]) -> float:
    """Entropy of the assets' mean class probabilities at one view, mean over views, of (S, V, K): between IQ and IV.

    The second form of the public code, which its evaluation does not call. IV also grows where an asset looks different
    from different sides; this form does so only where assets differ from each other.
    """
    return float(entropy(probabilities.mean(axis=0)).mean())


def entropies(probabilities: NDArray[np.float64]) -> dict[str, float]:
    """The three by their names, of S assets' V views (S, V, K).

    `ArithmeticError` if they are not in the order that they have for any probabilities.
    """
    found = {"iq": iq(probabilities), "iv_per_view": iv_per_view(probabilities), "iv": iv(probabilities)}
    ordered = [0.0, *found.values(), np.log(probabilities.shape[-1])]
    if not all(less <= more + ROUNDING for less, more in pairwise(ordered)):
        raise ArithmeticError(f"0 <= IQ <= IV per view <= IV <= ln {probabilities.shape[-1]} does not hold: {found}")
    return found


def similarities(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine similarity of every two assets (S, S) at the same view, mean over views, of features (S, V, D)."""
    unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
    return np.einsum("avd,bvd->ab", unit, unit) / unit.shape[1]


def cosine(similarities: NDArray[np.float64]) -> float:
    """Mean over the pairs of S >= 2 assets (S, S): lower is more diverse.

    The public code takes the mean over pairs first, then over views, which is the same.
    """
    return float(similarities[np.triu_indices(len(similarities), k=1)].mean())
