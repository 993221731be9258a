import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.base.schedules import size_at, value_at


@pytest.mark.parametrize(
    ("step", "value"), [(0, 0.15), (100, 0.15), (101, 0.1498), (600, 0.05), (1099, -0.0498), (5000, -0.05)]
)
def test_by_hand(step, value):
    # from 0.15 at 100 down to -0.05 at 1100: 0.0002 a step
    assert value_at((100, 0.15, -0.05, 1100), step) == pytest.approx(value, abs=1e-9)


def test_a_number_stays_what_it_is():
    assert value_at(0.3, 12345) == 0.3


@pytest.mark.parametrize(("step", "value"), [(4999, 0.98), (5000, 0.98), (5001, 0.5)])
def test_a_jump_as_the_public_codes_write_it(step, value):
    assert value_at((5000, 0.98, 0.5, 5001), step) == value


@given(st.integers(0, 100), st.integers(0, 100), st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 200))
def test_never_outside_of_its_ends(first, length, start, end, step):
    low, high = sorted((start, end))
    assert low - 1e-9 <= value_at((first, start, end, first + length), step) <= high + 1e-9


@pytest.mark.parametrize(("step", "size"), [(0, 256), (1999, 256), (2000, 512), (9999, 512)])
def test_a_milestone_counts_from_its_step_on(step, size):
    assert size_at(((0, 256), (2000, 512)), step) == size


def test_one_size_stays_what_it_is():
    assert size_at(64, 12345) == 64
