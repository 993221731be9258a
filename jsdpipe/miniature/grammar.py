"""The grammar of the miniature world's captions.

a [striped|spotted] [COLOR] KIND [on SURROUNDING]
a [...] KIND and a [...] KIND
a [...] KIND on a [...] SUPPORT
"""

from dataclasses import dataclass, replace

from jsdpipe.base.errors import shown

KINDS = (
    "ball", "cube", "cone", "cylinder", "donut", "pyramid", "mushroom", "house", "tree", "snowman", "rocket", "table",
    "chair", "mug", "lamp", "bottle", "car", "boat", "cactus", "duck", "robot", "umbrella", "tower", "hourglass",
)  # fmt: skip
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black")
PATTERNS = ("striped", "spotted")
SURROUNDINGS = ("a wooden floor", "a grey rock", "green grass", "yellow sand", "a tiled floor")
RELATIONS = ("and", "on")
SUPPORTS = ("cube", "cylinder", "table")
WORDS = {"kinds": KINDS, "colors": COLORS, "patterns": PATTERNS, "surroundings": SURROUNDINGS, "relations": RELATIONS}


@dataclass(frozen=True)
class Thing:
    """One thing; an attribute that is None is unspecified."""

    kind: str
    color: str | None = None
    pattern: str | None = None

    def __str__(self) -> str:
        words = " ".join(word for word in (self.pattern, self.color, self.kind) if word)
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


@dataclass(frozen=True)
class Description:
    """A caption's meaning: one thing, perhaps in a surrounding, or two things in a relation."""

    things: tuple[Thing, ...]
    relation: str | None = None
    surrounding: str | None = None

    def with_thing(self, i: int, **changes: str) -> "Description":
        """The description with other attributes of thing number i."""
        return replace(self, things=tuple(replace(t, **changes) if j == i else t for j, t in enumerate(self.things)))


def caption(description: Description) -> str:
    """Write the sentence that `parse` reads back."""
    things = description.things
    if description.relation:
        return f"{things[0]} {description.relation} {things[1]}"
    if description.surrounding:
        return f"{things[0]} on {description.surrounding}"
    return str(things[0])


def explained() -> list[str]:
    """Explain the grammar to users, in lines: the forms of sentences, then the words for their capitals."""
    words = {"KIND": KINDS, "COLOR": COLORS, "SURROUNDING": SURROUNDINGS}
    return [
        "THING, or THING on SURROUNDING, or THING and THING, or THING on THING",
        f"THING: a [{'|'.join(PATTERNS)}] [COLOR] KIND; one that another stands on is a {' or '.join(SUPPORTS)}",
        *(f"{name}: {', '.join(of)}" for name, of in words.items()),
    ]


def parse(text: str) -> Description:
    """Parse a sentence; raises ValueError, naming the words, if it is outside the grammar."""
    sentence = " ".join(text.lower().split()).removesuffix(".")
    for surrounding in SURROUNDINGS:
        if sentence.endswith(f" on {surrounding}"):
            return Description((_thing(sentence.removesuffix(f" on {surrounding}")),), surrounding=surrounding)
    for relation in RELATIONS:
        first, separator, second = sentence.partition(f" {relation} ")
        if separator:
            things = (_thing(first), _thing(second))
            if relation == "on" and things[1].kind not in SUPPORTS:
                raise ValueError(f"nothing stands on a {things[1].kind}; supports are {', '.join(SUPPORTS)}")
            return Description(things, relation=relation)
    return Description((_thing(sentence),))


def _thing(phrase: str) -> Thing:
    words = phrase.split()
    if words and words[0] in ("a", "an", "the"):
        words = words[1:]
    pattern = words.pop(0) if words and words[0] in PATTERNS else None
    color = words.pop(0) if words and words[0] in COLORS else None
    if len(words) != 1 or words[0] not in KINDS:
        raise ValueError(f"not a thing of the miniature world: {shown(phrase)}")
    return Thing(words[0], color, pattern)
