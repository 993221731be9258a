import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.base.schedules import size_at, value_at


def test_by_hand():
    # from 0.15 at 100 down to -0.05 at 1100: 0.0002 a step
    found = [value_at((100, 0.15, -0.05, 1100), step) for step in (0, 100, 101, 600, 1099, 5000)]
    assert found == pytest.approx([0.15, 0.15, 0.1498, 0.05, -0.0498, -0.05], abs=1e-9)


def test_a_number_stays_what_it_is():
    assert value_at(0.3, 12345) == 0.3


def test_a_jump_as_the_public_codes_write_it():
    assert [value_at((5000, 0.98, 0.5, 5001), step) for step in (4999, 5000, 5001)] == [0.98, 0.98, 0.5]


@given(st.integers(0, 100), st.integers(0, 100), st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 200))
def test_never_outside_of_its_ends(first, length, start, end, step):
    low, high = sorted((start, end))
    assert low - 1e-9 <= value_at((first, start, end, first + length), step) <= high + 1e-9


def test_a_milestone_counts_from_its_step_on():
    assert [size_at(((0, 256), (2000, 512)), step) for step in (0, 1999, 2000, 9999)] == [256, 256, 512, 512]


def test_one_size_stays_what_it_is():
    assert size_at(64, 12345) == 64
