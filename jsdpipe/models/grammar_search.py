"""The sentence of the miniature grammar that a CLIP finds most probable for an image.

The logits of a contrastively trained CLIP are log p(text | image) / p(text), up to a constant that depends on the image
only. So a text's log probability is its logit plus its log prior among the training captions, up to that constant. The
prior of a longer sentence is lower.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor

from jsdpipe.miniature.grammar import (
    COLORS,
    KINDS,
    PATTERNS,
    RELATIONS,
    SUPPORTS,
    SURROUNDINGS,
    Description,
    Thing,
    caption,
)
from jsdpipe.miniature.scenes import PATTERNED, SIDE_BY_SIDE
from jsdpipe.models.clip import Clip

# in the captions that the committed CLIP learnt from: shares of forms, and of colors and patterns that are left out
FORMS = {"single": 0.36, "surr": 0.28, "multi": 0.36}
LEFT_OUT = 0.15
BEST_KINDS = 4
BEST_THINGS = 2  # of each kind


def log_prior(description: Description) -> float:
    """Log probability of a description among the training captions."""
    form = "multi" if description.relation else "surr" if description.surrounding else "single"
    total = math.log(FORMS[form] / (len(SURROUNDINGS) if description.surrounding else 1))
    if description.relation:
        total += math.log(SIDE_BY_SIDE if description.relation == "and" else 1 - SIDE_BY_SIDE)
    stated = PATTERNED[form] * (1 - LEFT_OUT)
    for index, thing in enumerate(description.things):
        total -= math.log(len(SUPPORTS if description.relation == "on" and index == 1 else KINDS))
        total += math.log((1 - LEFT_OUT) / len(COLORS) if thing.color else LEFT_OUT)
        total += math.log(stated / len(PATTERNS) if thing.pattern else 1 - stated)
    return total


class GrammarSearch:
    """A search over all single things, then over the best ones in surroundings and pairs, then by hill climbing."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._things = [Thing(*parts) for parts in product(KINDS, (None, *COLORS), (None, *PATTERNS))]

    def best_caption(self, image: Tensor) -> str:
        """The caption of an image's features (D,)."""
        ranked = self._scores(image, [Description((thing,)) for thing in self._things]).argsort(descending=True)
        best = _best_things([self._things[i] for i in ranked.tolist()])
        description, score = self._best(image, _combinations(best))
        while True:
            better, better_score = self._best(image, _neighbors(description))
            if better_score <= score:
                return caption(description)
            description, score = better, better_score

    def _best(self, image: Tensor, descriptions: Iterable[Description]) -> tuple[Description, float]:
        candidates = list(descriptions)
        scores = self._scores(image, candidates)
        index = int(scores.argmax())
        return candidates[index], float(scores[index])

    def _scores(self, image: Tensor, descriptions: list[Description]) -> Tensor:
        """Log probabilities (N,) of descriptions, up to a constant that depends on the image only."""
        cosine = self._clip.texts([caption(d) for d in descriptions]) @ image
        return self._clip.logit_scale * cosine + torch.tensor([log_prior(d) for d in descriptions])


def _best_things(ranked: list[Thing]) -> list[Thing]:
    """The best `BEST_THINGS` things of each of the best `BEST_KINDS` kinds, and of each kind of support."""
    kinds = list(dict.fromkeys(thing.kind for thing in ranked))
    kinds = list(dict.fromkeys((*kinds[:BEST_KINDS], *SUPPORTS)))
    return [thing for kind in kinds for thing in [t for t in ranked if t.kind == kind][:BEST_THINGS]]


def _combinations(things: list[Thing]) -> Iterator[Description]:
    """All descriptions of one or two of the things."""
    for thing in things:
        yield Description((thing,))
        yield from (Description((thing,), surrounding=surrounding) for surrounding in SURROUNDINGS)
    for pair in product(things, things):
        yield from (Description(pair, relation) for relation in RELATIONS if _possible(relation, pair[1]))


def _neighbors(description: Description) -> Iterator[Description]:
    """The descriptions that differ in one attribute."""
    things, relation = description.things, description.relation
    for index, thing in enumerate(things):
        kinds = SUPPORTS if relation == "on" and index == 1 else KINDS
        changed = [replace(thing, kind=kind) for kind in kinds]
        changed += [replace(thing, color=color) for color in (None, *COLORS)]
        changed += [replace(thing, pattern=pattern) for pattern in (None, *PATTERNS)]
        for other in changed:
            yield replace(description, things=(*things[:index], other, *things[index + 1 :]))
    if relation:
        yield from (Description((thing,)) for thing in things)
        yield from (replace(description, relation=other) for other in RELATIONS if _possible(other, things[1]))
    else:
        yield from (replace(description, surrounding=surrounding) for surrounding in (None, *SURROUNDINGS))


def _possible(relation: str, second: Thing) -> bool:
    return relation == "and" or second.kind in SUPPORTS
