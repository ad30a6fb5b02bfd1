"""Contributions are signed, in units of the score, and add up to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_dagmm.arithmetic import Floats
from stream_dagmm.explanation import contributions

numbers = st.floats(-1e6, 1e6)


def interacting(events: Sequence[Mapping[Any, Any]]) -> Floats:
    """Any function of the features: here one with products, a threshold and a constant."""
    scores = []
    for event in events:
        values = sorted((str(name), value) for name, value in event.items())
        total = 2.5 + sum(len(name) * value for name, value in values)
        total += 3.0 * np.prod([np.tanh(value) for _, value in values])
        scores.append(total + (len(values) > 2))
    return np.array(scores)


@given(st.dictionaries(st.text(max_size=3) | st.integers(0, 9), numbers, min_size=1, max_size=6))
def test_contributions_add_up_to_the_score(event: dict[Any, float]) -> None:
    shares = contributions(interacting, event)
    assert list(shares) == list(event)
    assert sum(shares.values()) == pytest.approx(interacting([event])[0], rel=1e-9, abs=1e-6)


def test_a_sum_is_taken_apart_exactly_with_the_constant_shared() -> None:
    def total(events: Sequence[Mapping[Any, Any]]) -> Floats:
        return np.array([4.0 + sum(event.values()) for event in events])

    assert contributions(total, {"a": 5.0, "b": -1.0}) == {"a": 7.0, "b": 1.0}


def test_features_that_matter_only_together_share_what_they_do() -> None:
    def both(events: Sequence[Mapping[Any, Any]]) -> Floats:
        return np.array([10.0 * ("a" in event and "b" in event) for event in events])

    assert contributions(both, {"a": 1, "b": 1, "c": 1}) == {"a": 5.0, "b": 5.0, "c": 0.0}


def test_two_features_that_say_the_same_share_it_and_neither_is_excused() -> None:
    def either(events: Sequence[Mapping[Any, Any]]) -> Floats:
        return np.array([10.0 * ("a" in event or "b" in event) for event in events])

    assert contributions(either, {"a": 1, "b": 1, "c": 1}) == {"a": 5.0, "b": 5.0, "c": 0.0}


def test_the_order_of_keys_changes_the_order_alone() -> None:
    event = {"c": 1.5, "a": -2.0, "b": 0.25}
    turned = dict(reversed(event.items()))
    assert contributions(interacting, turned) == contributions(interacting, event)


def test_the_score_of_an_event_without_features_is_put_down_to_their_absence() -> None:
    assert contributions(interacting, {}) == {"(no features)": interacting([{}])[0]}


def test_the_event_is_left_as_it_was_and_scored_3_f_plus_2_times() -> None:
    scored: list[Mapping[Any, Any]] = []

    def counting(events: Sequence[Mapping[Any, Any]]) -> Floats:
        scored.extend(events)
        return interacting(events)

    event = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    contributions(counting, event)
    assert event == {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    assert len(scored) == 3 * 4 + 2
