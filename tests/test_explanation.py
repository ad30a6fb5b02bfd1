"""Contributions are signed, in units of the score, and add up to it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_dagmm import StreamDAGMM
from stream_dagmm.arithmetic import Floats
from stream_dagmm.events import listed
from stream_dagmm.explanation import contributions
from stream_dagmm.features import Columns

numbers = st.floats(-1e6, 1e6)
ScoreEvent = Callable[[Mapping[Any, float]], float]


def explained(score_event: ScoreEvent, event: Mapping[Any, float]) -> dict[Any, float]:
    """Contributions where each feature has a column, so that a row is an event."""
    names = sorted(event, key=str)

    def encode(events: Sequence[Mapping[Any, Any]]) -> Floats:
        return np.array([[0.0, *(e.get(name, np.nan) for name in names)] for e in events])

    def score(rows: Floats, _: object) -> Floats:
        pairs = [zip(names, row[1:].tolist(), strict=True) for row in rows]
        return np.array([score_event({n: v for n, v in row if not np.isnan(v)}) for row in pairs])

    return contributions(encode, score, [event])[0]


def interacting(event: Mapping[Any, float]) -> float:
    """Any function of the features: here one with products, a threshold and a constant."""
    values = sorted((str(name), value) for name, value in event.items())
    total = 2.5 + sum(len(name) * value for name, value in values)
    total += 3.0 * float(np.prod([np.tanh(value) for _, value in values]))
    return total + (len(values) > 2)


@given(st.dictionaries(st.text(max_size=3) | st.integers(0, 9), numbers, min_size=1, max_size=6))
def test_contributions_add_up_to_the_score(event: dict[Any, float]) -> None:
    shares = explained(interacting, event)
    assert list(shares) == list(event)
    assert sum(shares.values()) == pytest.approx(interacting(event), rel=1e-9, abs=1e-6)


def test_a_sum_is_taken_apart_exactly_with_the_constant_shared() -> None:
    found = explained(lambda event: 4.0 + sum(event.values()), {"a": 5.0, "b": -1.0})
    assert found == {"a": 7.0, "b": 1.0}


def test_features_that_matter_only_together_share_what_they_do() -> None:
    found = explained(
        lambda event: 10.0 * ("a" in event and "b" in event), {"a": 1, "b": 1, "c": 1}
    )
    assert found == {"a": 5.0, "b": 5.0, "c": 0.0}


def test_two_features_that_say_the_same_share_it_and_neither_is_excused() -> None:
    found = explained(lambda event: 10.0 * ("a" in event or "b" in event), {"a": 1, "b": 1, "c": 1})
    assert found == {"a": 5.0, "b": 5.0, "c": 0.0}


def test_the_order_of_keys_changes_the_order_alone() -> None:
    event = {"c": 1.5, "a": -2.0, "b": 0.25}
    turned = dict(reversed(event.items()))
    assert explained(interacting, turned) == explained(interacting, event)


def test_the_score_of_an_event_without_features_is_put_down_to_their_absence() -> None:
    assert explained(interacting, {}) == {"(no features)": interacting({})}


def test_the_event_is_left_as_it_was_and_scored_3_f_plus_2_times() -> None:
    scored: list[Mapping[Any, float]] = []

    def counting(event: Mapping[Any, float]) -> float:
        scored.append(event)
        return interacting(event)

    event = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    explained(counting, event)
    assert event == {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    assert len(scored) == 3 * 4 + 2


@given(st.dictionaries(st.sampled_from("abcdefghij"), numbers | st.sampled_from("xyz"), min_size=1))
def test_a_row_without_features_is_the_row_of_the_event_without_them(event: dict[str, Any]) -> None:
    """What is scored for an explanation, whatever shares a column, are rows of real events."""
    columns = Columns(max_features=4)
    learned: list[dict[str, Any]] = [
        dict.fromkeys("abcde", 1.0),
        {"b": "x", "c": "y"},
        {"f": 2.0, "g": "z"},
    ]
    known = columns.learn(listed(learned), 1).shape[1]
    scored: list[bytes] = []

    def encode(events: Sequence[Mapping[Any, Any]]) -> Floats:
        return columns.encode(listed(events), known)

    def score(rows: Floats, _: object) -> Floats:
        scored.extend(row.tobytes() for row in rows)
        return np.asarray(np.nansum(rows, axis=1))

    contributions(encode, score, [event])
    names = list(event)
    kept = [[n for bit, n in enumerate(names) if 1 << bit & c] for c in range(1 << len(names))]
    real = {row.tobytes() for row in encode([{n: event[n] for n in some} for some in kept])}
    assert set(scored) <= real


def test_features_that_the_model_cannot_tell_apart_share_alike() -> None:
    detector = StreamDAGMM(batch_size=16)
    random = np.random.default_rng(0)
    detector.learn_many([{"a": a} for a in random.normal(size=100).tolist()])
    shares = detector.explain_one({"a": 0.0} | {f"new {n}": float(n) for n in range(20_000)})
    assert len(shares) == 20_001
    assert len({share for name, share in shares.items() if name != "a"}) == 1


def test_many_are_explained_together_as_each_alone_by_the_model_that_scored_it() -> None:
    random = np.random.default_rng(0)
    events = [
        {f"f{n}": value for n, value in enumerate(row) if abs(value) < 2.0}
        for row in random.normal(size=(600, 40)).tolist()
    ]
    together, alone = StreamDAGMM(batch_size=64), StreamDAGMM(batch_size=64)
    _, reasons = together.prequential(events, lambda scores: np.ones(len(scores), dtype=np.bool_))
    for place, event in enumerate(events):
        if place % 50 == 0 or place > 590:
            assert alone.explain_one(event) == reasons[place]
        alone.learn_one(event)
