"""The choice of a wrong prompt: another one, with which a prompt has nothing in common."""

import re
from collections.abc import Sequence

from jsdpipe.config.methods import Prompts
from jsdpipe.config.prompts import Prompt
from jsdpipe.miniature.grammar import COLORS, parse

# words that say nothing of what is to be seen
FUNCTION_WORDS = {
    "a", "an", "the", "this", "that", "these", "those", "some", "one", "and", "or", "but", "of", "on", "in", "at",
    "by", "for", "with", "without", "from", "to", "into", "onto", "upon", "over", "under", "above", "below", "near",
    "next", "behind", "between", "through", "as", "is", "are", "be", "being", "its", "it", "his", "her", "their",
    "who", "which", "up", "down", "out", "off",
}  # fmt: skip


def wrong_prompt(part: str, prompt: Prompt, prompts: Prompts) -> tuple[str, Prompt] | None:
    """The next prompt of a set that has nothing in common with one of its prompts, else one of another set.

    Sets are searched from the place after the prompt's own, and again from their start.

    Returns:
        The set and the prompt; None if every prompt has something in common with it.
    """
    place = list(prompts[part]).index(prompt) + 1
    for name in (part, *(other for other in prompts if other != part)):
        for candidate in _turned(prompts[name], place):
            if not _overlap(prompt.text, candidate.text):
                return name, candidate
    return None


def _turned(prompts: Sequence[Prompt], start: int) -> Sequence[Prompt]:
    start = min(start, len(prompts))
    return [*prompts[start:], *prompts[:start]]


def _overlap(one: str, other: str) -> bool:
    """Whether two prompts of the miniature share a kind or a color, or any other prompts a content word."""
    try:
        return bool(_kinds_and_colors(one) & _kinds_and_colors(other))
    except ValueError:  # outside the grammar
        return bool(_content_words(one) & _content_words(other))


def _kinds_and_colors(text: str) -> set[str]:
    meant = parse(text)
    named = {word for thing in meant.things for word in (thing.kind, thing.color) if word}
    return named | {word for word in (meant.surrounding or "").split() if word in COLORS}


def _content_words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold())) - FUNCTION_WORDS
