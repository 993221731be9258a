"""The judge `attributes`: captions of the miniature grammar merged by vote, graded by their recall of the prompt."""

from collections import Counter
from collections.abc import Iterable
from itertools import permutations
from pathlib import Path
from typing import TypeVar

from jsdpipe.base.errors import UserError
from jsdpipe.miniature.grammar import Description, Thing, caption, parse
from jsdpipe.models import settings
from jsdpipe.models.roles import JUDGES

DETAIL_SHARE = 1 / 3

Value = TypeVar("Value")


@JUDGES.register("attributes")
class AttributesJudge:
    """A judge without a model, only for captions of the miniature grammar."""

    class Settings(settings.Settings):
        """Counts the prompt's attributes that the caption states; both must be in the miniature's grammar."""

        def check_prompt(self, prompt: str) -> None:
            _read(prompt)

    identity = "attributes"

    def __init__(self, settings: Settings | None = None, device: str = "cpu", calls: Path | None = None) -> None:
        """The arguments are ignored: the judge has no settings, needs no device, and its calls are free."""

    def merge(self, captions: list[str]) -> str:
        """A caption of what the views' captions agree on.

        The kinds of things with the most votes win. A second thing, a pattern or a surrounding is kept if at least a
        third of the captions have it, because it may be hidden in the other views. Only captions with the winning kinds
        vote on attributes. Ties go to the earliest view.
        """
        described = [_in_order(parse(text)) for text in captions]
        pairs = [d for d in described if d.relation]
        if len(pairs) >= DETAIL_SHARE * len(described):
            relation, kinds = _most((d.relation, tuple(t.kind for t in d.things)) for d in pairs)
            voters = [d.things for d in pairs if (d.relation, tuple(t.kind for t in d.things)) == (relation, kinds)]
            return caption(_in_order(Description(tuple(map(_elect, zip(*voters, strict=True))), relation=relation)))
        kind = _most(d.things[0].kind for d in described)
        thing = _elect([t for d in described for t in d.things if t.kind == kind])
        surroundings = [d.surrounding for d in described if d.surrounding]
        kept = len(surroundings) >= DETAIL_SHARE * len(described)
        return caption(Description((thing,), surrounding=_most(surroundings) if surroundings and kept else None))

    def grade(self, prompt: str, caption: str) -> int:
        """1 + floor(4 * recall), where recall is the fraction of the prompt's attributes that the caption states.

        Attributes are each thing's kind, color and pattern, the relation, and the surrounding. A color or pattern
        counts only with its kind, a relation only with both kinds; things are matched to maximize the recall. So 5
        means all attributes, and additional ones in the caption do not lower the grade.
        """
        wanted, told = _read(prompt), parse(caption)
        attributes = sum(1 + bool(t.color) + bool(t.pattern) for t in wanted.things)
        attributes += bool(wanted.relation) + bool(wanted.surrounding)
        return 1 + 4 * _recalled(wanted, told) // attributes

    def transcript(self) -> list[str]:
        return []


def _recalled(wanted: Description, told: Description) -> int:
    """The number of wanted attributes that are told."""
    # A blank stands for a thing that the caption lacks.
    blanks = (Thing(""),) * (len(wanted.things) - len(told.things))
    best = 0
    for order in permutations((*told.things, *blanks), len(wanted.things)):
        matches = [_matches(w, t) for w, t in zip(wanted.things, order, strict=True)]
        related = wanted.relation and wanted.relation == told.relation and all(matches)
        # the order matters for "on" (a thing and its support), but not for "and"
        related = related and (wanted.relation == "and" or order == told.things)
        best = max(best, sum(matches) + bool(related))
    return best + bool(wanted.surrounding and wanted.surrounding == told.surrounding)


def _matches(wanted: Thing, told: Thing) -> int:
    if wanted.kind != told.kind:
        return 0
    color = wanted.color is not None and wanted.color == told.color
    return 1 + color + (wanted.pattern is not None and wanted.pattern == told.pattern)


def _read(prompt: str) -> Description:
    try:
        return parse(prompt)
    except ValueError as error:
        raise UserError(
            f"the judge 'attributes' cannot read the prompt ({error}); write one such as "
            "'a striped red mug on green grass', or configure models for arbitrary prompts"
        ) from None


def _in_order(description: Description) -> Description:
    """A description with the things of an "and" relation, whose order has no meaning, sorted."""
    if description.relation != "and":
        return description
    things = sorted(description.things, key=lambda t: (t.kind, t.color or "", t.pattern or ""))
    return Description(tuple(things), relation="and")


def _elect(things: Iterable[Thing]) -> Thing:
    """One thing from several of one kind: the color with the most votes, and a pattern if at least a third have one."""
    things = list(things)
    colors = [t.color for t in things if t.color]
    patterns = [t.pattern for t in things if t.pattern]
    kept = patterns and len(patterns) >= DETAIL_SHARE * len(things)
    return Thing(things[0].kind, _most(colors) if colors else None, _most(patterns) if kept else None)


def _most(votes: Iterable[Value]) -> Value:
    return Counter(votes).most_common(1)[0][0]
