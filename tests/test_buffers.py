"""A bounded sample that owes nothing to the clock, and no more to one event than to another."""

import numpy as np
import pytest

from stream_dagmm.arithmetic import Floats
from stream_dagmm.buffers import Reservoir, generator


def numbered(start: int, stop: int) -> Floats:
    return np.arange(start, stop, dtype=np.float64)[:, None]


def filled(events: int, size: int, memory: float, seed: int) -> Reservoir:
    reservoir = Reservoir.fresh(size, memory)
    for start in range(0, events, 50):
        rows = numbered(start, min(events, start + 50))
        reservoir = reservoir.offer(rows, generator(seed, start, 0))
    return reservoir


def test_random_numbers_are_a_function_of_seed_count_and_purpose() -> None:
    def first(seed: int, count: int, purpose: int) -> float:
        return float(generator(seed, count, purpose).random())

    assert first(1, 2, 3) == first(1, 2, 3)
    different = {first(1, 2, 3), first(2, 2, 3), first(1, 3, 3), first(1, 2, 4), first(2, 1, 3)}
    assert len(different) == 5
    assert 0.0 <= first(10**30, 0, 0) < 1.0


def test_the_reservoir_holds_everything_until_it_is_full_and_never_more() -> None:
    assert filled(30, 40, np.inf, 0).rows[:, 0].tolist() == list(range(30))
    full = filled(5000, 40, 500.0, 0)
    assert full.rows.shape == (40, 1)
    assert full.offered == 5000


def test_without_forgetting_every_event_is_held_with_equal_probability() -> None:
    """200 draws of 40 of 400: the mean number of a held event is 199.5 with deviation 1.2."""
    held = np.concatenate([filled(400, 40, np.inf, seed).rows[:, 0] for seed in range(200)])
    assert abs(held.mean() - 199.5) < 6.0
    counts = np.histogram(held, bins=4, range=(0, 400))[0]
    assert np.abs(counts - 2000).max() < 200  # five deviations of a binomial count


def test_with_a_memory_the_age_of_what_is_held_is_about_the_memory() -> None:
    """Held with probability exp(-age / memory): a mean age of 500, deviation 500 / sqrt(4000)."""
    held = np.concatenate([filled(5000, 40, 500.0, seed).rows[:, 0] for seed in range(100)])
    assert abs((5000.0 - held).mean() - 500.0) < 60.0


def test_offering_changes_no_reservoir_that_someone_else_holds() -> None:
    before = filled(100, 40, np.inf, 0)
    kept = before.rows.copy()
    before.offer(numbered(100, 300), generator(0, 1, 0))
    assert np.array_equal(before.rows, kept)


def test_nothing_offered_changes_nothing() -> None:
    before = filled(100, 40, np.inf, 0)
    after = before.offer(np.empty((0, 1)), generator(0, 1, 0))
    assert np.array_equal(after.rows, before.rows)
    assert after.offered == before.offered


@pytest.mark.parametrize("size", [1, 40])
def test_a_saved_reservoir_goes_on_as_the_standing_one(size: int) -> None:
    standing = filled(100, size, 300.0, 0)
    restored = Reservoir.fresh(size, 300.0).restored(standing.to_state())
    for reservoir in (standing, restored):
        assert reservoir.offered == 100
    one, other = (r.offer(numbered(100, 200), generator(0, 9, 0)) for r in (standing, restored))
    assert np.array_equal(one.rows, other.rows)


def test_rows_that_are_wider_than_those_held_miss_nothing_of_their_own() -> None:
    """Columns that came later: a held row says nothing of them."""
    wider = np.hstack([numbered(3, 5), numbered(13, 15)])
    held = filled(3, 5, np.inf, 0).offer(wider, generator(0, 1, 0)).rows
    assert held[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert np.isnan(held[:3, 1]).all()
    assert held[3:, 1].tolist() == [13.0, 14.0]


@pytest.mark.parametrize(("offered", "memory"), [(4_000, np.inf), (40_000, 4_000.0)])
def test_a_lightened_reservoir_takes_new_events_in_sooner(offered: int, memory: float) -> None:
    full = filled(offered, 40, memory, 0)
    taken = []
    for reservoir in (full, full.lightened(0.25)):
        after = reservoir.offer(numbered(offered, offered + 1_000), generator(0, offered, 0))
        taken.append(int((after.rows >= offered).sum()))
    assert taken[0] < 13 < taken[1]  # a fifth and a half of 40 are expected


def test_a_reservoir_that_is_not_full_stays_as_it_is() -> None:
    assert filled(30, 40, np.inf, 0).lightened(0.25).offered == 30
