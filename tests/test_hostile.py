"""For every detector: scores are pure, finite and ordered whatever comes."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_dagmm.cells import BUCKETS
from stream_dagmm.events import present
from stream_dagmm.features import SHARED_COLUMNS
from tests.cuts import bits
from tests.detectors import DETECTORS, Make, every_detector
from tests.streams import Event, dictionaries, mixed, table

names = st.sampled_from(["a", "b", "c", "naïve", "", "\ud800"]) | st.text(max_size=2)


extremes = st.sampled_from([1e308, -1e308, 1.7e308, 5e-324, -0.0, math.nan, math.inf, -math.inf])


values = (
    extremes
    | st.floats()
    | st.booleans()
    | st.none()
    | st.text(max_size=2)
    | st.integers(-(10**320), 10**320)
)


hostile = st.dictionaries(names, values, max_size=5)


@pytest.mark.parametrize("name", DETECTORS)
@given(st.lists(hostile, max_size=60), st.integers(1, 40))
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_every_score_is_finite_whatever_the_events(
    name: str, events: list[Event], size: int
) -> None:
    detector = DETECTORS[name](batch_size=size, max_features=3)
    for event in events:
        assert math.isfinite(detector.score_one(event))
        detector.learn_one(event)
    repeated = events * 4
    assert np.isfinite(detector.score_learn_many(repeated)).all()
    assert np.isfinite(detector.score_many(events)).all()


@every_detector
@pytest.mark.parametrize("scale", [1e308, 1e150, 1e-150, 1e-308])
def test_streams_on_the_edges_of_the_doubles_are_scored(make: Make, scale: float) -> None:
    rows = np.random.default_rng(0).uniform(-1.0, 1.0, size=(150, 3)) * scale
    rows[50:, 1] = 1.0
    assert np.isfinite(make().score_learn_many(rows)).all()
    assert np.isfinite(make(half_life=math.inf).score_learn_many(rows)).all()


@every_detector
@pytest.mark.parametrize("half_life", [0.001, 1.0, math.inf])
@pytest.mark.parametrize("batch_size", [1, 100])
def test_any_memory_and_any_block_survive_a_change_of_scale(
    make: Make, half_life: float, batch_size: int
) -> None:
    scales = np.repeat([1.0, 1e100, 1e-100, 1.0], 20)[:, None]
    rows = np.random.default_rng(0).normal(size=(80, 2)) * scales
    detector = make(half_life=half_life, batch_size=batch_size)
    assert np.isfinite(detector.score_learn_many(rows)).all()


@every_detector
def test_scoring_leaves_no_trace(make: Make) -> None:
    detector = make()
    for event in [{}, *mixed(70)]:
        before = bits(detector)
        for probe in ({}, event, {"amount": 1e300, "new": "text", "newer": -1.0}):
            assert detector.score_one(probe) == detector.score_one(dict(probe))
        detector.explain_one(event)
        detector.diagnostics()
        detector.fingerprint()
        assert bits(detector) == before
        detector.learn_one(event)
    assert bits(detector) != before


@every_detector
def test_the_first_scores_are_plain_numbers(make: Make) -> None:
    detector = make()
    assert type(detector.score_one({})) is float
    assert type(detector.score_one({"a": 1.0})) is float
    assert detector.score_many([]).shape == detector.score_learn_many([]).shape == (0,)
    assert detector.score_many(table(3, 2)).dtype == np.float64
    assert detector.learned == 0


@every_detector
@pytest.mark.parametrize("events", [2, 3, 9, 40, 150])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_beyond_the_learned_range_every_factor_of_ten_raises_the_score(
    make: Make, events: int, sign: float
) -> None:
    detector, rows = make(), table(events, 4)
    detector.learn_many(rows)
    usual = dictionaries(np.median(rows, axis=0, keepdims=True))[0]
    for place in range(4):
        farthest = np.abs(rows[:, place]).max()
        factors = 10.0 ** np.arange(0.1, 300.0 - math.log10(farthest))
        probes = [{**usual, str(place): sign * farthest * factor} for factor in factors]
        scores = detector.score_many(probes)
        assert (np.diff(scores) > 0.0).all()


@every_detector
def test_contributions_add_up_to_the_score_and_name_the_fields(make: Make) -> None:
    detector = make()
    events = mixed(150)
    detector.learn_many(events)
    for event in [*events[-3:], {**events[-1], "amount": 1e9}, {"shop": "never", "new": "x"}]:
        contributions = detector.explain_one(event)
        assert contributions.keys() == present(event).keys()
        score = detector.score_one(event)
        assert sum(contributions.values()) == pytest.approx(score, rel=1e-9, abs=1e-9)
    strange = detector.explain_one({**events[-1], "amount": 1e9})
    assert max(strange, key=lambda name: strange[name]) == "amount"


@every_detector
def test_a_missing_value_is_explained_as_an_absent_one(make: Make) -> None:
    detector = make()
    events = mixed(150)
    detector.learn_many(events)
    usual = present(events[-1])
    lacking = {**usual, "level": None, "gone": math.nan, "far": math.inf}
    usual.pop("level", None)
    assert detector.explain_one(lacking) == detector.explain_one(usual)
    nothing = {"(no features)": detector.score_one({})}
    assert detector.explain_one({}) == nothing
    assert detector.explain_one({"level": None, "new": math.nan}) == nothing


@every_detector
def test_rows_asked_for_are_explained_by_the_model_that_scored_them(make: Make) -> None:
    events = mixed(100)
    detector, one_by_one = make(), make()
    parts = []

    def every_fifth(scores: Any) -> Any:
        parts.append(scores)
        return np.arange(len(scores)) % 5 == 0

    scores, reasons = detector.prequential(events, every_fifth)
    assert np.concatenate(parts).tolist() == scores.tolist()
    expected = {}
    starts = np.cumsum([0, *map(len, parts)])
    asked = {
        int(s) + i
        for s, part in zip(starts[:-1], parts, strict=True)
        for i in range(0, len(part), 5)
    }
    for place, event in enumerate(events):
        if place in asked:
            expected[place] = one_by_one.explain_one(event)
        one_by_one.learn_one(event)
    assert reasons == expected


@every_detector
def test_memory_is_bounded_by_the_configuration(make: Make) -> None:
    """New names and texts without end; a longer stream leaves no larger state."""

    def endless(start: int, stop: int) -> list[Event]:
        return [
            {"a": math.sin(n), "text": f"text {n}", f"name {n}": n, f"t {n}": str(n)}
            for n in range(start, stop)
        ]

    detector = make(max_features=8, batch_size=64)
    detector.learn_many(endless(0, 5120))
    early = len(bits(detector))
    detector.learn_many(endless(5120, 7680))
    assert len(bits(detector)) <= 1.01 * early
    assert detector._columns.width <= 1 + 8 + SHARED_COLUMNS
    assert detector._columns.overflowed > BUCKETS


@every_detector
def test_inputs_are_left_as_they_were(make: Make) -> None:
    events, rows = mixed(50), table(50, 3)
    given_events, given_rows = [dict(event) for event in events], rows.copy()
    detector = make()
    for given_form in (events, rows):
        detector.score_learn_many(given_form)
        detector.prequential(given_form, lambda scores: np.ones(len(scores), dtype=np.bool_))
    assert events == given_events
    assert np.array_equal(rows, given_rows)
    before = bits(detector)
    rows[:] = 7.0
    events[0].clear()
    assert bits(detector) == before
