"""River pipelines as one detector: saved whole or refused by name, fast where they can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river import anomaly, compose, preprocessing

from stream_dagmm import GaussianMixture
from stream_dagmm_connectors import composed
from tests.connectors.scaler import SavedScaler

EVENTS = [{"a": float(n % 7), "b": float((3 * n) % 11), "c": 1.0} for n in range(200)]


def mixture() -> GaussianMixture:
    return GaussianMixture(batch_size=16, seed=1)


def learned(detector: Any, events: list[dict[str, float]]) -> Any:
    for x in events:
        detector.learn_one(x)
    return detector


def test_a_pipeline_whose_scaler_can_be_saved_goes_on_as_if_it_had_never_stopped() -> None:
    def made() -> Any:
        return compose.Select("a", "b") | (SavedScaler() + compose.Prefixer("raw ")) | mixture()

    whole = learned(made(), EVENTS)
    state = composed.state_of(learned(made(), EVENTS[:100]))
    half = learned(composed.restored(made(), state), EVENTS[100:])
    assert [half.score_one(x) for x in EVENTS] == [whole.score_one(x) for x in EVENTS]


FORGETFUL = (
    SavedScaler() | preprocessing.MinMaxScaler(),
    compose.Select("a") + preprocessing.MinMaxScaler(),
)


@pytest.mark.parametrize("before", FORGETFUL)
def test_a_transformer_that_would_be_forgotten_is_refused_by_name(before: Any) -> None:
    with pytest.raises(ValueError, match=r"^MinMaxScaler before GaussianMixture learns") as refusal:
        composed.state_of(before | mixture())
    assert "at-least-once" in str(refusal.value)


def test_a_detector_that_cannot_be_saved_is_named() -> None:
    with pytest.raises(ValueError, match="HalfSpaceTrees offers no to_state"):
        composed.state_of(preprocessing.StandardScaler() | anomaly.HalfSpaceTrees())


def test_behind_selection_alone_a_detector_keeps_its_fast_way_and_its_scores() -> None:
    slow, fast = compose.Select("a", "b") | mixture(), compose.Select("a", "b") | mixture()
    expected = []
    for x in EVENTS:
        expected.append(slow.score_one(x))
        slow.learn_one(x)
    way = composed.fast_way(fast)
    assert way is not None
    scores, _ = way(EVENTS, lambda scores: np.zeros(len(scores), dtype=bool))
    assert scores.tolist() == expected
    assert composed.fast_way(SavedScaler() | mixture()) is None


def test_explanations_and_arithmetic_are_those_of_the_last_step() -> None:
    pipeline = learned(compose.Select("a", "b") | mixture(), EVENTS)
    reasons = composed.explained(pipeline, EVENTS[0])
    assert reasons is not None and set(reasons) == {"a", "b"}
    assert composed.fingerprint_of(pipeline) == mixture().fingerprint()
