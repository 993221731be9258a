"""The wrong prompt of a prompt, chosen by hand in small lists."""

import pytest

from jsdpipe.config.prompts import to_prompt
from jsdpipe.config.wrong_prompts import wrong_prompt


def of(sets, part, text):
    """The wrong prompt's set and text."""
    found = wrong_prompt(part, to_prompt(text), {name: [*map(to_prompt, texts)] for name, texts in sets.items()})
    return found and (found[0], found[1].text)


SINGLE = ["a red ball", "a red cube", "a blue ball", "a spotted green cone"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a red ball", "a spotted green cone"),  # the cube is red, and the other ball a ball
        ("a red cube", "a blue ball"),
        ("a blue ball", "a spotted green cone"),
        ("a spotted green cone", "a red ball"),  # from the start again
    ],
)
def test_it_is_the_next_without_a_kind_or_color_of_the_prompt(text, wrong):
    assert of({"single": SINGLE}, "single", text) == ("single", wrong)


def test_it_is_of_another_set_if_need_be_from_the_same_place_on():
    sets = {"multi": ["a green cone", "a cone and a red cube", "a pink car"], "single": ["a red ball", "a blue ball"]}
    assert of(sets, "single", "a red ball") == ("multi", "a pink car")
    assert of(sets, "single", "a blue ball") == ("multi", "a pink car")
    assert of(sets, "multi", "a green cone") == ("multi", "a pink car")
    assert of(sets, "multi", "a cone and a red cube") == ("multi", "a pink car")
    assert of(sets, "multi", "a pink car") == ("multi", "a green cone")


def test_surroundings_and_patterns_may_be_shared():
    texts = ["a striped red ball on a tiled floor", "a striped green cone on a tiled floor"]
    assert of({"surr": texts}, "surr", texts[0]) == ("surr", texts[1])


def test_a_surrounding_s_color_is_a_color_too():
    texts = ["a red ball on green grass", "a green cone", "a blue cube on green grass", "a pink car on yellow sand"]
    assert of({"surr": texts}, "surr", texts[0]) == ("surr", texts[3])
    assert of({"surr": texts}, "surr", texts[1]) == ("surr", texts[3])
    assert of({"surr": ["a yellow duck", "a red tree on yellow sand"]}, "surr", "a yellow duck") is None


def test_other_prompts_share_no_content_word():
    texts = ["A dog on the moon", "the dog of a king", "a king's horse, on the grass", "a red ball"]
    assert of({"any": texts}, "any", texts[0]) == ("any", texts[2])
    assert of({"any": texts}, "any", texts[1]) == ("any", texts[3])


def test_there_may_be_none():
    assert of({"single": ["a red ball", "a red cube"], "multi": ["a ball and a tree"]}, "single", "a red ball") is None
