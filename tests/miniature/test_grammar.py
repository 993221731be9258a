import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.miniature import PROMPTS
from jsdpipe.miniature.grammar import (
    COLORS,
    KINDS,
    PATTERNS,
    SUPPORTS,
    SURROUNDINGS,
    Description,
    Thing,
    caption,
    parse,
)

things = st.builds(
    Thing,
    st.sampled_from(KINDS),
    st.none() | st.sampled_from(COLORS),
    st.none() | st.sampled_from(PATTERNS),
)
supports = st.builds(Thing, st.sampled_from(SUPPORTS), st.none() | st.sampled_from(COLORS))
descriptions = st.one_of(
    st.builds(lambda t: Description((t,)), things),
    st.builds(lambda t, s: Description((t,), surrounding=s), things, st.sampled_from(SURROUNDINGS)),
    st.builds(lambda a, b: Description((a, b), relation="and"), things, things),
    st.builds(lambda a, b: Description((a, b), relation="on"), things, supports),
)


@given(descriptions)
def test_a_caption_is_parsed_back(description):
    assert parse(caption(description)) == description


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a red ball", Description((Thing("ball", "red"),))),
        ("An orange  Table.", Description((Thing("table", "orange"),))),
        ("a mushroom", Description((Thing("mushroom"),))),
        (
            "a striped red mushroom on a wooden floor",
            Description((Thing("mushroom", "red", "striped"),), surrounding="a wooden floor"),
        ),
        ("a red ball and a blue cube", Description((Thing("ball", "red"), Thing("cube", "blue")), relation="and")),
        ("a cone on a cube", Description((Thing("cone"), Thing("cube")), relation="on")),
    ],
)
def test_sentences_mean_what_a_reader_takes_them_for(text, meant):
    assert parse(text) == meant


def test_the_prompts_of_the_package_and_the_examples_of_the_readme_are_understood():
    readme = (PROMPTS.parents[2] / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r'"(an? [^"]+)"', readme)
    assert len(examples) >= 2
    for text in [*examples, *(line for file in PROMPTS.iterdir() for line in file.read_text().splitlines())]:
        parse(text)


@pytest.mark.parametrize(
    "text", ["", "a", "a red", "a red dragon", "a ball on a ball", "two red balls", "a red ball and"]
)
def test_other_sentences_are_refused(text):
    with pytest.raises(ValueError, match=r"miniature world|nothing stands on"):
        parse(text)
