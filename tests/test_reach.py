"""Values outside what was learned are held to it, and counted."""

import numpy as np

from stream_dagmm.reach import Reach

NAN = np.nan
LEARNED = Reach.fresh().learned(np.array([[0.0, -1.0, NAN], [NAN, 2.0, NAN]]))


def test_inside_the_learned_range_nothing_changes() -> None:
    rows = np.array([[0.0, 1.5, 7.0], [NAN, -1.0, NAN]])
    np.testing.assert_array_equal(LEARNED.held(rows), rows)
    assert LEARNED.beyond(rows, np.ones(3)).tolist() == [0.0, 0.0]


def test_outside_the_nearest_learned_value_stands_for_it() -> None:
    rows = np.array([[5.0, -9.0, 1e308]])
    assert LEARNED.held(rows).tolist() == [[0.0, -1.0, 1e308]]


def test_every_factor_of_ten_is_farther_up_to_the_largest_double() -> None:
    rows = np.zeros((300, 3))
    rows[:, 1] = 3.0 * 10.0 ** np.arange(300)
    assert (np.diff(LEARNED.beyond(rows, np.ones(3))) > 0.0).all()
    extreme = np.array([[0.0, 1.7e308, 0.0], [0.0, -1.7e308, 0.0]])
    assert np.isfinite(LEARNED.beyond(extreme, np.full(3, 1e-3))).all()


def test_a_column_that_never_varied_does_not_count() -> None:
    assert LEARNED.beyond(np.array([[0.0, 50.0, 0.0]]), np.array([1.0, 0.0, 1.0])).tolist() == [0.0]


def test_columns_may_be_added() -> None:
    wider = LEARNED.learned(np.array([[1.0, 0.0, 5.0, 6.0]]))
    assert wider.low.tolist() == [0.0, -1.0, 5.0, 6.0]
    assert wider.high.tolist() == [1.0, 2.0, 5.0, 6.0]
