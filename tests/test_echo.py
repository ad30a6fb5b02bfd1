"""Scores that hold on are heard; scores that come and go are not."""

import numpy as np
import pytest

from stream_dagmm.arithmetic import Floats
from stream_dagmm.echo import LAG, Echo, follow

RANDOM = np.random.default_rng(5)


def learned(scores: Floats, size: int = 256) -> Echo:
    echo = Echo.fresh(20_000.0)
    for start in range(0, len(scores), size):
        echo = echo.learned(scores[start : start + size])
    return echo


def lasting(count: int, share: float) -> Floats:
    """An autoregression whose neighbours have this correlation."""
    scores = np.zeros(count)
    for place in range(1, count):
        scores[place] = share * scores[place - 1] + RANDOM.normal()
    return scores


def test_independent_scores_have_no_echo() -> None:
    assert learned(RANDOM.normal(size=8_192)).weight < 1e-4


def test_the_weight_is_the_fourth_power_of_the_autocorrelation() -> None:
    echo = learned(lasting(20_000, 0.99))
    assert echo.weight == pytest.approx((0.99**LAG) ** 4, rel=0.3)


def test_an_event_among_strange_ones_scores_higher_than_among_ordinary_ones() -> None:
    echo = learned(lasting(8_192, 0.99))
    mean = echo.level.mean
    among = echo.heard(np.full(2, mean), np.array([mean, mean + 5.0]))
    assert among[0] == pytest.approx(0.0, abs=1e-12)
    assert among[1] > 1.0


def test_it_is_silent_until_it_knows() -> None:
    assert Echo.fresh(100.0).heard(np.array([9.0]), np.array([9.0])).tolist() == [0.0]


def test_the_running_mean_does_not_depend_on_how_it_was_cut() -> None:
    scores = RANDOM.normal(size=100)
    whole, after = follow(0.0, scores)
    first, between = follow(0.0, scores[:37])
    second, end = follow(between, scores[37:])
    assert np.append(first, second).tobytes() == whole.tobytes()
    assert end == after


def test_a_saved_one_weighs_the_same() -> None:
    echo = learned(lasting(4_096, 0.9))
    assert Echo.restored(echo.to_state()) == echo
