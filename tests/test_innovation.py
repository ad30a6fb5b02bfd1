"""What is new in an event beside its recent past, moved row by row in any cut."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stream_dagmm import innovation
from stream_dagmm.arithmetic import Floats

anything = st.floats(-1e300, 1e300) | st.just(math.nan)


def followed(
    rows: Floats, cuts: list[int], far: Floats, usual: float = 0.1
) -> tuple[Floats, Floats]:
    """Levels met and the level after, with the rows cut at the given places."""
    level, met = np.full(rows.shape[1], np.nan), []
    bounds = [0, *sorted(cuts), len(rows)]
    for start, stop in itertools.pairwise(bounds):
        part = slice(start, stop)
        levels, level = innovation.follow(
            level, rows[part], far[part].astype(np.bool_), np.full(rows.shape[1], usual)
        )
        met.append(levels)
    return np.vstack(met), level


@given(
    arrays.arrays(np.float64, (48, 2), elements=anything),
    arrays.arrays(np.float64, 48, elements=st.sampled_from([0.0, 1.0])),
    st.sampled_from([0.0, 0.1, 1e9]),
    st.lists(st.integers(0, 48), max_size=4),
)
@settings(max_examples=50)
def test_any_cut_gives_the_same_levels(
    rows: Floats, far: Floats, usual: float, cuts: list[int]
) -> None:
    whole, parts = followed(rows, [], far, usual), followed(rows, cuts, far, usual)
    assert whole[0].tobytes() == parts[0].tobytes()
    assert whole[1].tobytes() == parts[1].tobytes()


@pytest.mark.parametrize("missing", [0.0, 0.05])
@pytest.mark.parametrize("usual", [0.0, 0.5, 3.0])
def test_many_rows_at_once_give_the_levels_of_one_by_one(missing: float, usual: float) -> None:
    random = np.random.default_rng(int(10 * usual))
    rows = np.cumsum(random.normal(size=(400, 3)), axis=0)
    rows[random.random(rows.shape) < missing] = math.nan
    far = (np.arange(400) // 29 % 3 == 1).astype(np.float64)  # in stretches, as floods come
    at_once, one_by_one = (
        followed(rows, [], far, usual),
        followed(rows, list(range(400)), far, usual),
    )
    assert at_once[0].tobytes() == one_by_one[0].tobytes()
    assert at_once[1].tobytes() == one_by_one[1].tobytes()


def test_the_level_is_the_exponentially_weighted_mean() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 1))
    _, after = followed(rows, [], np.zeros(50))
    expected = rows[0, 0]
    for value in rows[1:, 0]:
        expected = 0.9 * expected + 0.1 * value
    assert after[0] == pytest.approx(expected)


def test_a_missing_value_and_a_far_row_leave_the_level() -> None:
    rows = np.array([[4.0, 1.0], [math.nan, 2.0], [14.0, 99.0], [14.0, 1.1]])
    levels, after = followed(rows, [], np.array([0.0, 0.0, 1.0, 0.0]))
    np.testing.assert_allclose(levels[1:, 0], [4.0, 4.0, 4.0])
    np.testing.assert_allclose(after, [5.0, 1.1])


def test_a_far_row_is_followed_where_every_column_makes_an_ordinary_step() -> None:
    rows, far = np.array([[0.0, 0.0], [1.0, -1.0], [1.0, -9.0]]), np.array([0.0, 1.0, 1.0])
    _, after = followed(rows, [], far, usual=1.0)
    np.testing.assert_allclose(after, [0.1, -0.1])


def test_a_far_row_that_differs_where_nothing_ever_did_is_not_followed() -> None:
    _, after = followed(np.array([[5.0], [5.1]]), [], np.array([0.0, 1.0]), usual=0.0)
    np.testing.assert_allclose(after, [5.0])
