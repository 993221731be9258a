"""Alignment without captions and judges, from the cosines of an asset's views with texts.

`similarity` is CLIPScore (Hessel et al., arXiv 2104.08718) with weight 100 and the prompt as it stands. `r_precision`
is CLIP R-Precision (Park et al., "Benchmark for Compositional Text-to-Image Synthesis", 2021), as Dream Fields (arXiv
2112.01455) and DreamFusion (arXiv 2209.14988) take it over to 3-D: a view retrieves one prompt of the set.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from jsdpipe.models.protocols import Similarity
from jsdpipe.models.roles import SIMILARITIES
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.run import Run
from jsdpipe.scoring.assets import Numbers


def similarity(cosines: NDArray[np.float64]) -> float:
    """Mean over the views of 100 max(cosine, 0), of their cosines (V,) with the prompt: 0 to 100."""
    return float(100 * np.maximum(cosines, 0).mean())


def r_precision(cosines: NDArray[np.float64], own: int) -> float | None:
    """Share of the views that are nearer to text `own` than to every other one; None if there is no other.

    `cosines` (V, M) with M distinct texts. A text that the model cannot tell from another is not retrieved.
    """
    return float((cosines[:, own] > rivals(cosines, own)).mean()) if cosines.shape[1] > 1 else None


def rivals(cosines: NDArray[np.float64], own: int) -> NDArray[np.float64]:
    """Each view's highest cosine (V,) with another text than `own`, of those with all (V, M); -1 if there is none."""
    return np.delete(cosines, own, axis=1).max(axis=1, initial=-1.0)


@dataclass(frozen=True)
class JudgeFree:
    """Scores by the cosines of a model, among the distinct texts of an asset's set."""

    model: Similarity
    texts: list[str]

    @classmethod
    def of(cls, run: Run, shard: Shard, device: str) -> Self | None:
        """What a run says of a shard's assets; None if its configuration leaves these scores out."""
        settings = run.config.alignment and run.config.alignment.similarity
        return (
            cls(SIMILARITIES.load(settings, device), list(dict.fromkeys(p.text for p in run.prompts[shard.set])))
            if settings
            else None
        )

    def score(self, text: str, images: NDArray[np.uint8] | None) -> tuple[Numbers, Numbers]:
        """An asset's numbers, and each view's cosines with its prompt and its rival; without images the floors, 0."""
        own = self.texts.index(text)
        cosines = np.zeros((1, len(self.texts))) if images is None else self.model.cosines(images, self.texts)
        numbers = {"similarity": similarity(cosines[:, own]), "r_precision": r_precision(cosines, own)}
        details = {"cosines": cosines[:, own].tolist(), "rivals": rivals(cosines, own).tolist()}
        return numbers, {} if images is None else details
