"""The law of cuts, for every detector: scores and state are a function of the events alone."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stream_dagmm.arithmetic import Floats
from tests.cuts import (
    BETWEEN,
    FORMS,
    LEARNING,
    Step,
    bits,
    in_form,
    learned_in_steps,
    learned_one_by_one,
    steps,
)
from tests.detectors import DETECTORS, Make, every_detector
from tests.streams import Event, dictionaries, mixed, table
from tests.threads import threads

STREAMS: dict[str, list[Event]] = {
    "width 1": dictionaries(table(110, 1)),
    "width 17": dictionaries(table(110, 17)),
    "width 32": dictionaries(table(110, 32)),
    "mixed": mixed(110),
}
EVERYTHING: list[Step] = [
    (step, 7) for pair in itertools.product(LEARNING, BETWEEN) for step in pair
]

plain_cuts: dict[tuple[str, str], tuple[Floats, bytes]] = {}


def plain(name: str, stream: str) -> tuple[Floats, bytes]:
    """Scores and state of the plainest cut, found once."""
    if (name, stream) not in plain_cuts:
        detector = DETECTORS[name]()
        scores = learned_one_by_one(detector, STREAMS[stream])
        plain_cuts[name, stream] = scores, bits(detector)
    return plain_cuts[name, stream]


def assert_cut_does_not_matter(name: str, stream: str, plan: Sequence[Step], form: str) -> None:
    scores, state = plain(name, stream)
    detector, found = learned_in_steps(DETECTORS[name](), STREAMS[stream], plan, form)
    assert {place: scores[place] for place in found} == found
    assert bits(detector) == state


@pytest.mark.parametrize("name", DETECTORS)
@given(steps(), st.sampled_from(list(STREAMS)), st.sampled_from(FORMS))
@example(EVERYTHING, "mixed", "polars")
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
def test_no_cut_changes_a_bit(name: str, plan: list[Step], stream: str, form: str) -> None:
    in_this_form = "dictionaries" if (stream, form) == ("mixed", "array") else form
    assert_cut_does_not_matter(name, stream, plan, in_this_form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", DETECTORS)
def test_no_form_of_the_events_changes_a_bit(name: str, form: str) -> None:
    assert_cut_does_not_matter(name, "width 17", [("learn_many", 50)], form)
    if form != "array":
        assert_cut_does_not_matter(name, "mixed", [("learn_many", 50)], form)


@every_detector
@pytest.mark.parametrize("form", ["dictionaries", "polars"])
def test_no_cut_changes_a_bit_where_features_share_hashed_columns(make: Make, form: str) -> None:
    events, plainest = mixed(110), make(max_features=2)
    scores = learned_one_by_one(plainest, events)
    detector, found = learned_in_steps(make(max_features=2), events, EVERYTHING, form)
    assert {place: scores[place] for place in found} == found
    assert bits(detector) == bits(plainest)


@every_detector
@pytest.mark.parametrize("width", [1, 3, 16, 17, 32, 48])
def test_an_event_scores_the_same_alone_and_at_every_place_of_a_block(
    make: Make, width: int
) -> None:
    rows = table(150, width)
    detector = make(batch_size=64)
    detector.learn_many(rows)
    block = table(64, width, seed=5)
    alone = np.array([detector.score_one(event) for event in dictionaries(block)])
    assert detector.score_many(block).tobytes() == alone.tobytes()
    for size in (1, 2, 3, 16, 17, 63):
        parts = [detector.score_many(block[start : start + size]) for start in range(0, 64, size)]
        assert np.concatenate(parts).tobytes() == alone.tobytes()
    for place in range(64):
        turned = np.roll(block, place, axis=0)
        assert detector.score_many(turned)[place].tobytes() == alone[0].tobytes()


@every_detector
@pytest.mark.parametrize("count", [1, 2])
def test_the_law_holds_under_any_number_of_threads(make: Make, count: int) -> None:
    """Blocks and widths large enough for a library to share a product among its threads."""
    rows = table(200, 64)
    with threads(count):
        whole, parts = make(batch_size=128), make(batch_size=128)
        scores = whole.score_learn_many(rows)
        pieces = [parts.score_learn_many(rows[start : start + 61]) for start in range(0, 200, 61)]
        assert np.concatenate(pieces).tobytes() == scores.tobytes()
        assert bits(parts) == bits(whole)
        singles = [whole.score_one(event) for event in dictionaries(rows[:40])]
        assert whole.score_many(rows[:40]).tolist() == singles


@every_detector
def test_a_flush_is_an_event_of_the_sequence(make: Make) -> None:
    events = mixed(90)
    one, other, without = make(), make(), make()
    for event in events[:53]:
        one.learn_one(event)
    other.learn_many(in_form(events[:53], "pandas"))
    without.learn_many(events)
    for detector in (one, other):
        detector.flush()
        detector.flush()  # nothing is left to learn
        detector.learn_many(events[53:])
    assert bits(one) == bits(other) != bits(without)
    assert one.learned == without.learned == 90


@every_detector
def test_a_resumed_detector_goes_on_as_one_that_never_stopped(make: Make) -> None:
    events = mixed(120)
    standing = make()
    for start in range(0, 120, 13):
        resumed = type(standing).from_state(standing.to_state())
        assert bits(resumed) == bits(standing)
        part = events[start : start + 13]
        assert resumed.score_learn_many(part).tobytes() == standing.score_learn_many(part).tobytes()
        assert bits(resumed) == bits(standing)


@every_detector
def test_two_of_one_seed_are_one_and_of_two_seeds_are_two(make: Make) -> None:
    rows = table(200, 5)
    one, same, other = make(seed=3), make(seed=3), make(seed=4)
    for detector in (one, same, other):
        detector.learn_many(rows)
    assert bits(one) == bits(same) != bits(other)


@every_detector
def test_copies_and_states_live_lives_of_their_own(make: Make) -> None:
    detector, rows = make(), table(100, 4)
    detector.learn_many(rows)
    state, before = detector.to_state(), bits(detector)
    twin = type(detector).from_state(state)
    clone = detector.clone()
    detector.learn_many(table(100, 4, seed=1))
    assert bits(twin) == before
    assert bits(clone) == bits(make())
    twin.learn_many(table(100, 4, seed=1))
    assert bits(twin) == bits(detector)
