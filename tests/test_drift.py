"""A change that lasts is told in a stated number of events, and hardly ever where there is none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from stream_dagmm import checkpoint
from stream_dagmm.arithmetic import Floats
from stream_dagmm.drift import Drift


def told_at(patience: float, p: Floats) -> float:
    """Events until a change is told."""
    drift = Drift.fresh(patience)
    for event in range(len(p)):
        drift = drift.learned(p[event : event + 1])
        if drift.told:
            return event + 1
    return math.inf


def p_of(scores: Floats) -> Floats:
    """p-values by a past of standard normal scores."""
    return np.asarray(special.ndtr(-scores))


@pytest.mark.parametrize("p", [1e-300, 1.0])
def test_a_complete_change_is_told_after_the_patience_and_not_before(p: float) -> None:
    assert told_at(128, np.full(200, p)) == pytest.approx(128, abs=1)


def test_in_a_million_exchangeable_events_no_sum_comes_far() -> None:
    """16 events at most seen here; of 10^6 events about one should reach 23 (exp(-0.6 h))."""
    drift, worst = Drift.fresh(64), 0.0
    for p in np.split(np.random.default_rng(0).random(1_000_000), 10_000):
        drift = drift.learned(p)
        worst = max(worst, drift.severity)
    assert 0.1 < worst < 25 / 57.6


@pytest.mark.parametrize(
    ("change", "times"),
    [
        (lambda normal: normal + 1.0, 2.5),
        (lambda normal: normal - 1.0, 2.5),
        (lambda normal: normal + 0.5, 7.0),
        (lambda normal: 3.0 * normal, 2.6),
        (lambda normal: normal / 3.0, 3.4),
    ],
)
def test_a_partial_change_is_told_after_a_few_times_the_patience(change, times: float) -> None:  # type: ignore[no-untyped-def]
    for seed in range(5):
        normal = np.random.default_rng(seed).normal(size=2_000)
        assert 128 < told_at(128, p_of(change(normal))) < times * 128


def test_a_burst_shorter_than_the_patience_is_none_and_is_forgotten_after_it() -> None:
    random = np.random.default_rng(1)
    burst = Drift.fresh(128).learned(np.full(100, 1e-9))
    assert 0.7 < burst.severity < 1.0
    assert burst.learned(random.random(2_000)).severity < 0.2


def test_a_far_score_counts_no_more_than_one_step() -> None:
    p = np.random.default_rng(2).random(100_000)
    p[::100] = 1e-300
    assert told_at(64, p) == math.inf


@given(st.lists(st.floats(1e-300, 1.0), max_size=60), st.lists(st.integers(0, 60), max_size=9))
def test_no_cut_of_the_events_changes_a_bit(p: list[float], cuts: list[int]) -> None:
    many = np.array(p)
    whole = parts = Drift.fresh(16).learned(np.full(5, 0.1))
    for part in np.split(many, sorted(cuts)):
        parts = Drift.from_tree(checkpoint.loads(checkpoint.dumps(parts.to_tree())))  # type: ignore[arg-type]
        parts = parts.learned(part)
    assert parts.excess.tolist() == whole.learned(many).excess.tolist()


def test_infinite_patience_never_tells_and_none_is_refused() -> None:
    assert told_at(math.inf, np.full(10_000, 1e-9)) == math.inf
    with pytest.raises(ValueError, match=r"patience must be positive \(inf never tells\), got 0"):
        Drift.fresh(0)
