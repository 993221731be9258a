"""The mapping of grades, and the judge that counts attributes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.base.errors import UserError
from jsdpipe.miniature.grammar import COLORS, KINDS, PATTERNS, SUPPORTS, SURROUNDINGS, Description, Thing, caption
from jsdpipe.models.judges.attributes import AttributesJudge
from jsdpipe.scoring.alignment import alignment

JUDGE = AttributesJudge()

THINGS = st.builds(Thing, st.sampled_from(KINDS), st.sampled_from((None, *COLORS)), st.sampled_from((None, *PATTERNS)))
SUPPORTING = st.builds(Thing, st.sampled_from(SUPPORTS), st.sampled_from((None, *COLORS)))
DESCRIPTIONS = st.one_of(
    st.builds(Description, st.tuples(THINGS), surrounding=st.sampled_from((None, *SURROUNDINGS))),
    st.builds(Description, st.tuples(THINGS, THINGS), relation=st.just("and")),
    st.builds(Description, st.tuples(THINGS, SUPPORTING), relation=st.just("on")),
)


def test_grades_map_to_percent():
    assert [alignment(grade) for grade in range(1, 6)] == [0, 25, 50, 75, 100]


@pytest.mark.parametrize("grade", [0, 6])
def test_other_grades_are_refused(grade):
    with pytest.raises(ValueError, match="grade"):
        alignment(grade)


@pytest.mark.parametrize(
    ("prompt", "told", "grade"),
    [
        ("a mushroom", "a striped red mushroom on a wooden floor", 5),
        ("a red mushroom", "a red mushroom", 5),
        ("a red mushroom", "a blue mushroom", 3),  # 1 of 2
        ("a red mushroom", "a mushroom", 3),
        ("a red mushroom", "a red cone", 1),  # a color without its kind is nothing
        ("a striped red mushroom", "a red mushroom", 3),  # 2 of 3
        ("a red mushroom on a wooden floor", "a red mushroom", 3),
        ("a red mushroom on a wooden floor", "a red mushroom on green grass", 3),
        ("a red mushroom on a wooden floor", "a red tree on a wooden floor", 2),  # 1 of 3
        ("a red ball and a blue cube", "a blue cube and a red ball", 5),
        ("a red ball and a blue cube", "a red cube and a blue ball", 3),  # 3 of 5
        ("a red ball and a blue cube", "a red ball", 2),  # 2 of 5
        ("a red ball and a blue cube", "a red ball on a blue cube", 4),  # 4 of 5
        ("a red ball and a blue ball", "a blue ball and a red ball", 5),
        ("an orange cone on a black cube", "an orange cone on a black cube", 5),
        ("a cube on a cube", "a cube and a cube", 3),  # 2 of 3
        ("a cube on a table", "a table on a cube", 3),  # both things, the wrong way round
        ("a cube", "a red ball and a green cube", 5),
    ],
)
def test_grade(prompt, told, grade):
    assert JUDGE.grade(prompt, told) == grade


@given(DESCRIPTIONS, DESCRIPTIONS)
def test_grades_are_whole_numbers_and_5_is_everything(wanted, told):
    assert JUDGE.grade(caption(wanted), caption(wanted)) == 5
    grade = JUDGE.grade(caption(wanted), caption(told))
    assert isinstance(grade, int) and 1 <= grade <= 5
    if not {t.kind for t in wanted.things} & {t.kind for t in told.things} and not wanted.surrounding:
        assert grade == 1


def test_prompt_outside_the_grammar_is_named_with_the_mend():
    with pytest.raises(UserError, match=r"a 'fox'\$\(ls\).*'a striped red mug"):
        JUDGE.grade("a 'fox'$(ls)", "a mushroom")


@given(DESCRIPTIONS, st.integers(1, 12))
def test_merging_equal_captions_keeps_them(description, count):
    merged = JUDGE.merge([caption(description)] * count)
    assert JUDGE.grade(caption(description), merged) == 5
    assert JUDGE.grade(merged, caption(description)) == 5


@pytest.mark.parametrize(
    ("captions", "merged"),
    [
        # the kind by most votes, the color by those that name it
        (["a red ball"] * 4 + ["a blue ball"] * 3 + ["a blue cone"] * 5, "a red ball"),
        # a color that some leave open
        (["a ball"] * 9 + ["a green ball"] * 3, "a green ball"),
        # a surrounding that a third of the views show
        (["a red tree on green grass"] * 4 + ["a red tree"] * 8, "a red tree on green grass"),
        (["a red tree on green grass"] * 3 + ["a red tree"] * 9, "a red tree"),
        (["a spotted red tree"] * 4 + ["a red tree"] * 8, "a spotted red tree"),
        # a pair that hides itself in most views, in either order
        (
            ["a red ball and a blue cube"] * 2 + ["a blue cube and a red ball"] * 2 + ["a red ball"] * 8,
            "a red ball and a blue cube",
        ),
        (["a red ball and a blue cube"] * 3 + ["a red ball"] * 9, "a red ball"),
        (["a red ball and a blue ball"] * 6 + ["a blue ball and a red ball"] * 6, "a blue ball and a red ball"),
        (["a cone on a black cube"] * 3 + ["a cone on a white cube"] * 2 + ["a cone"] * 7, "a cone on a black cube"),
        # ties go to the earliest
        (["a white duck", "a black robot"], "a white duck"),
    ],
)
def test_merge(captions, merged):
    assert JUDGE.merge(captions) == merged
