"""Every column on the scale of its own past, whatever that past was."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stream_dagmm import scaling
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.scaling import CLIP, ORDER, SETTLED, TEACHES_AT_MOST, Scale
from tests.streams import table

moderate = st.floats(-1e6, 1e6)


def learned(
    rows: Floats,
    half_life: float = math.inf,
    block: int = 1000,
    at_most: float = TEACHES_AT_MOST,
) -> Scale:
    """The scale after the rows [B, D], which stand behind the count in column 0."""
    scale = scaling.widen(scaling.fresh(), np.zeros(1 + rows.shape[1], dtype=np.bool_))
    with_count = np.hstack([np.zeros((len(rows), 1)), rows])
    for start in range(0, len(rows), block):
        scale = scaling.update(scale, with_count[start : start + block], half_life, at_most)
    return scale


def standardised(scale: Scale, rows: Floats) -> scaling.Standardised:
    return scaling.standardise(scale, np.hstack([np.zeros((len(rows), 1)), rows]))


def weighted(rows: Floats, half_life: float) -> tuple[Floats, Floats, Floats]:
    """The oracle: weight, mean and variance of each column, all rows at once."""
    ages = np.arange(len(rows))[::-1, None]
    weights = 0.5 ** (ages / half_life) * ~np.isnan(rows)
    mean = np.nansum(weights * rows, axis=0) / weights.sum(axis=0)
    variance = np.nansum(weights * (rows - mean) ** 2, axis=0) / weights.sum(axis=0)
    return weights.sum(axis=0), mean, variance


@pytest.mark.parametrize("half_life", [math.inf, 1000.0, 7.0])
@pytest.mark.parametrize("block", [1, 5, 31])
def test_moments_in_blocks_are_the_weighted_moments_of_all_rows(
    half_life: float, block: int
) -> None:
    """Within the first `SETTLED` sightings, after which far values teach less."""
    rows = table(int(SETTLED) - 1, 3)
    rows[2:9, 1] = np.nan
    rows[:, 2] += 1e5
    scale = learned(rows, half_life, block)
    weight, mean, variance = weighted(rows, half_life)
    np.testing.assert_allclose(scale.weight[1:], weight, rtol=1e-12)
    np.testing.assert_allclose(scale.mean[1:], mean, rtol=1e-12)
    np.testing.assert_allclose(scale.variance[1:], variance, rtol=1e-9)


def test_without_far_values_long_streams_have_their_moments_too() -> None:
    rows = np.random.default_rng(0).uniform(-1.0, 1.0, size=(20_000, 2)) * [1.0, 1e4]
    for half_life in (math.inf, 500.0):
        scale = learned(rows, half_life, 256)
        weight, mean, variance = weighted(rows, half_life)
        np.testing.assert_allclose(scale.weight[1:], weight, rtol=1e-9)
        np.testing.assert_allclose(scale.mean[1:], mean, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(scale.variance[1:], variance, rtol=1e-9)


def test_an_event_has_half_its_weight_after_a_half_life() -> None:
    once = np.vstack([np.ones((1, 1)), np.full((40, 1), np.nan)])
    assert learned(once, half_life=40.0).weight[1] == pytest.approx(0.5)
    assert learned(once, half_life=20.0, block=7).weight[1] == pytest.approx(0.25)
    assert learned(once).weight[1] == 1.0


def test_no_rows_change_nothing() -> None:
    scale = learned(table(50, 2))
    after = scaling.update(scale, np.empty((0, 3)), 10.0)
    assert all(np.array_equal(a, b) for a, b in zip(scale, after, strict=True))


@given(arrays.arrays(np.float64, (6, 3), elements=moderate | st.just(math.nan)))
def test_an_update_leaves_scale_and_rows_as_they_were(rows: Floats) -> None:
    scale = learned(table(40, 2))
    kept, given_rows = [part.copy() for part in scale], rows.copy()
    scaling.update(scale, rows, 10.0)
    assert np.array_equal(rows, given_rows, equal_nan=True)
    assert all(np.array_equal(a, b) for a, b in zip(scale, kept, strict=True))


def test_rows_are_standardised_to_mean_0_and_deviation_1_on_the_grid() -> None:
    rows = np.random.default_rng(1).normal(size=(5000, 2)) * [1e-7, 1e9] + [3.0, -1e10]
    standard = standardised(learned(rows), rows).rows
    assert np.array_equal(standard, on_row_grid(standard))
    np.testing.assert_allclose(standard.mean(axis=0), [0, 0, 0], atol=1e-4)
    np.testing.assert_allclose(standard.std(axis=0), [0, 1, 1], atol=1e-4)


def test_beyond_the_clip_every_factor_of_ten_is_worth_the_same() -> None:
    scale = learned(np.random.default_rng(1).normal(size=(500, 1)))
    for sign in (-1.0, 1.0):
        values = sign * 10.0 ** np.arange(2.0, 308.0)[:, None]
        standard = standardised(scale, values)
        assert (standard.rows[:, 1] == sign * CLIP).all()
        steps = np.diff(standard.beyond)
        np.testing.assert_allclose(steps, ORDER * math.log(10.0), rtol=0.05)
        np.testing.assert_allclose(steps[10:], ORDER * math.log(10.0), rtol=1e-9)
    inside = standardised(scale, np.array([[0.0], [1.0], [CLIP * scaling.deviation(scale)[1] / 2]]))
    assert (inside.beyond == 0.0).all()


def test_ten_times_the_learned_range_is_past_the_clip_from_the_second_value_on() -> None:
    for rows in ([[0.0], [1.0]], [[5.0], [-5.0]], [[3.0], [2.9]], [[0.0]] * 30 + [[1.0]]):
        past = np.array(rows)
        far = 10.0 * np.abs(past).max()
        standard = standardised(learned(past), np.array([[far], [10.0 * far], [-100.0 * far]]))
        assert standard.beyond[1] > standard.beyond[0] >= 0.0
        assert standard.beyond[2] > 0.0


@given(
    arrays.arrays(np.float64, (70, 2), elements=st.floats(allow_nan=False, allow_infinity=False)),
    st.sampled_from([0.01, 1.0, 300.0, math.inf]),
    st.sampled_from([1, 7, 70]),
)
@settings(max_examples=60)
def test_whatever_was_learned_everything_stays_finite(
    rows: Floats, half_life: float, block: int
) -> None:
    scale = learned(rows, half_life, block)
    assert all(np.isfinite(part).all() for part in scale)
    assert (scale.variance >= 0.0).all()
    probes = np.array([[0.0, 1e300], [-1.7e308, 1.7e308], [5e-324, -1e-300]])
    standard = standardised(scale, np.vstack([probes, rows]))
    assert np.abs(standard.rows).max() <= CLIP
    assert np.isfinite(standard.beyond).all()
    assert (standard.beyond >= 0.0).all()


def test_a_million_huge_values_keep_their_moments_finite() -> None:
    scale = learned(np.tile([[1.7e308], [-1.7e308]], (100, 1)))
    long = scale._replace(weight=scale.weight + 1e12)
    after = scaling.update(long, np.array([[0.0, 1.7e308]] * 256), math.inf)
    assert all(np.isfinite(part).all() for part in after)


def test_one_absurd_value_does_not_blind_the_scale() -> None:
    rows = np.random.default_rng(1).normal(size=(2000, 1))
    absurd = np.vstack([rows, [[1e300]]])
    before, after = learned(rows), learned(absurd)
    assert scaling.deviation(after)[1] < 1.1 * scaling.deviation(before)[1]
    assert abs(after.mean[1] - before.mean[1]) < TEACHES_AT_MOST / 1000.0


@pytest.mark.parametrize("at_most", [10.0, 20.0])
def test_what_comes_a_little_oftener_than_once_in_the_square_is_learned_in_full(
    at_most: float,
) -> None:
    every = int(0.75 * at_most**2)
    flags = np.zeros((100 * every, 1))
    flags[::every] = 1.0
    scale = learned(flags, block=every, at_most=at_most)
    full = math.sqrt(1 / every * (1 - 1 / every))
    assert scaling.deviation(scale)[1] == pytest.approx(full, rel=0.05)
    held = learned(flags, block=every, at_most=0.8 * at_most)
    assert scaling.deviation(held)[1] < 0.8 * full


def test_a_value_moves_a_level_by_a_few_deviations_at_most() -> None:
    scale = learned(np.random.default_rng(1).normal(size=(2_000, 1)))
    row = np.array([[np.nan, 50.0], [0.0, -50.0], [0.0, 0.5]])
    held = scaling.ruler(scale).moves.held(row)
    deviation = scaling.deviation(scale)[1]
    assert np.isnan(held[0, 0])
    assert held[:, 1] == pytest.approx(
        [
            scale.mean[1] + scaling.MOVES_AT_MOST * deviation,
            scale.mean[1] - scaling.MOVES_AT_MOST * deviation,
            0.5,
        ]
    )


def test_a_new_level_is_reached_in_the_end() -> None:
    low = np.random.default_rng(1).normal(size=(500, 1))
    scale = learned(np.vstack([low, low + 1e6, *[low + 1e6] * 20]), half_life=200.0, block=50)
    assert scale.mean[1] == pytest.approx(1e6, rel=1e-3)


def test_in_a_column_that_never_varied_any_other_value_lies_beyond_the_clip() -> None:
    scale = learned(np.full((100, 1), 4.0))
    assert scaling.deviation(scale)[1] == 0.0
    standard = standardised(scale, np.array([[4.0], [4.1], [-1e300], [-1.7e308]]))
    assert standard.rows[:, 1].tolist() == [0.0, CLIP, -CLIP, -CLIP]
    assert standard.beyond[0] == 0.0
    assert (np.diff(standard.beyond) > 0.0).all()


def test_rounding_noise_on_a_large_mean_is_no_variation_to_measure_by() -> None:
    scale = learned(1e9 + np.array([[0.0], [1e-7]] * 50))
    assert standardised(scale, np.array([[1e9 + 1e-6]])).rows[0, 1] < 0.001


def test_a_missing_value_is_0() -> None:
    standard = standardised(learned(table(50, 2)), np.array([[np.nan, 1.0]]))
    assert standard.rows[0, 1] == 0.0


def test_a_column_seen_once_counts_as_missing_and_seen_twice_does_not() -> None:
    once = standardised(learned(np.array([[3.0]])), np.array([[1e9]]))
    assert (once.rows == 0.0).all()
    assert (once.beyond == 0.0).all()
    twice = standardised(learned(np.array([[3.0], [4.0]])), np.array([[1e9]]))
    assert twice.beyond[0] > 0.0


def test_a_column_that_varied_and_stayed_away_is_still_known() -> None:
    rows = table(100, 2)
    gone = np.hstack([table(2000, 1, seed=1), np.full((2000, 1), np.nan)])
    scale = learned(np.vstack([rows, gone]), half_life=20.0, block=64)
    beyond = standardised(scale, np.array([[0.0, 1e100], [0.0, 1e101]])).beyond
    assert beyond[1] > beyond[0] > 0.0


def test_a_new_text_bucket_was_absent_from_every_event_so_far() -> None:
    scale = scaling.widen(learned(table(99, 1)), np.array([False, False, True, False]))
    assert scale.weight.tolist() == [99.0, 99.0, 99.0, 0.0]
    assert scaling.deviation(scale)[2] == pytest.approx(0.1)  # one in a hundred, not yet seen
    assert scale.is_count.tolist() == [True, False, True, False]


def test_statistics_carried_with_the_scale_are_those_of_rows_carried_with_it() -> None:
    """Mean and covariance in old units, moved by gain and shift, describe the same raw rows."""
    scales = [learned(np.vstack([table(40, 3, s) for s in range(n)]), 100.0) for n in (2, 5)]
    old, new = scales
    gain, shift = scaling.carried(old, new)
    raw = np.hstack([np.zeros((30, 1)), table(30, 3, seed=9) * 0.1])
    before = (raw - old.mean)[:, 1:] / scaling.deviation(old)[1:]
    after = (raw - new.mean)[:, 1:] / scaling.deviation(new)[1:]
    np.testing.assert_allclose(before * gain[1:] + shift[1:], after, rtol=1e-9, atol=1e-12)


def test_carrying_to_the_same_scale_moves_nothing_that_varies() -> None:
    scale = learned(np.hstack([table(40, 2), np.full((40, 1), 5.0)]))
    gain, shift = scaling.carried(scale, scale)
    assert gain[1:].tolist() == [1.0, 1.0, 0.0]
    assert shift.tolist() == [0.0] * 4


def test_carrying_twice_is_carrying_once() -> None:
    a, b, c = (learned(np.vstack([table(40, 2, s) for s in range(n)]), 50.0) for n in (1, 2, 6))
    (gain_1, shift_1), (gain_2, shift_2) = (
        scaling.carried(old, new) for old, new in itertools.pairwise((a, b, c))
    )
    gain, shift = scaling.carried(a, c)
    np.testing.assert_allclose(gain_1 * gain_2, gain, rtol=1e-9)
    np.testing.assert_allclose(shift_1 * gain_2 + shift_2, shift, rtol=1e-9, atol=1e-12)


def test_a_column_that_is_new_is_carried_to_its_mean() -> None:
    old = learned(table(40, 2))
    wider = scaling.widen(old, np.zeros(4, dtype=np.bool_))
    new = scaling.update(wider, np.hstack([np.zeros((40, 1)), table(40, 3, 1)]), math.inf)
    gain, shift = scaling.carried(old, new)
    assert gain.shape == shift.shape == (4,)
    assert (gain[3], shift[3]) == (0.0, 0.0)


@given(arrays.arrays(np.float64, (9, 3), elements=st.floats(-1e3, 1e3) | st.just(math.nan)))
def test_rows_that_are_placed_are_those_that_are_measured(rows: Floats) -> None:
    by = scaling.ruler(learned(np.random.default_rng(0).normal(size=(50, 3))))
    asked = np.hstack([np.zeros((len(rows), 1)), rows])
    before = asked.copy()
    assert scaling.placed(by, asked).tobytes() == scaling.measured(by, asked).rows.tobytes()
    assert asked.tobytes() == before.tobytes()
