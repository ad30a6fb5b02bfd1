"""A judgement moves the score of the event's like, and decides whether they teach."""

import numpy as np
import pytest

from stream_dagmm import StreamDAGMM
from stream_dagmm.arithmetic import Floats
from stream_dagmm.told import MOST, Told
from tests.cuts import bits

RANDOM = np.random.default_rng(11)


def event(row: Floats) -> dict[str, float]:
    return {f"x{j}": float(value) for j, value in enumerate(row)}


def usual(count: int) -> list[dict[str, float]]:
    return [event(row) for row in RANDOM.normal(size=(count, 5))]


@pytest.fixture(scope="module")
def settled() -> StreamDAGMM:
    detector = StreamDAGMM(batch_size=128)
    detector.learn_many(usual(2_048))
    return detector


ODD = np.array([4.0, -4.0, 4.0, -4.0, 4.0])


def copy(detector: StreamDAGMM) -> StreamDAGMM:
    return StreamDAGMM.from_state(detector.to_state())


def test_a_confirmed_anomaly_raises_its_like_and_nothing_else(settled: StreamDAGMM) -> None:
    told = copy(settled)
    told.feedback(event(ODD), True)
    assert told.score_one(event(ODD + 0.1)) > settled.score_one(event(ODD + 0.1)) + 0.5
    others = usual(64)
    assert told.score_many(others).tobytes() == settled.score_many(others).tobytes()


def test_a_confirmed_normal_lowers_its_like(settled: StreamDAGMM) -> None:
    told = copy(settled)
    told.feedback(event(ODD), False)
    assert told.score_one(event(ODD + 0.1)) < settled.score_one(event(ODD + 0.1)) - 0.5


def test_the_like_of_a_confirmed_normal_teaches_and_that_of_an_anomaly_does_not(
    settled: StreamDAGMM,
) -> None:
    """A hundred of its like; single strange events do not teach."""
    like = [event(row) for row in ODD + 0.01 * RANDOM.normal(size=(128, 5))]
    after = {}
    for label in (True, False):
        told = copy(settled)
        told.feedback(event(ODD), label)
        told.learn_many(like)
        told.learn_many(usual(128))
        after[label] = float(told._model.gate.taught)  # type: ignore[attr-defined]
    assert after[False] > after[True] + 64


def test_of_two_judgements_on_one_event_the_later_counts(settled: StreamDAGMM) -> None:
    told = copy(settled)
    told.feedback(event(ODD), True)
    told.feedback(event(ODD), False)
    assert told.score_one(event(ODD)) < settled.score_one(event(ODD))


def test_a_judgement_is_void_where_the_stream_has_moved_and_holds_again_where_it_is_back(
    settled: StreamDAGMM,
) -> None:
    """Whatever is judged: what is odd in one place may be usual in another."""
    told, untold = copy(settled), copy(settled)
    told.feedback(event(ODD), True)

    def raised(at: float) -> float:
        ways = np.linspace(at - np.sign(at), at, 64)[:, None]  # in ordinary steps
        events = [event(row) for row in ways + 0.2 * RANDOM.normal(size=(64, 5))]
        for detector in (told, untold):
            detector.learn_many(events)
        return told.score_one(event(ODD)) - untold.score_one(event(ODD))

    here, away, back = raised(0.0), raised(2.4), raised(0.0)
    assert away == 0.0 < 0.5 < min(here, back)


def test_judgements_are_bounded() -> None:
    told = Told.fresh()
    for number in range(3 * MOST):
        told = told.after(np.array([float(number)]), number % 2 == 0, 1.0, np.empty(0))
    assert told.rows.ravel().tolist() == [float(n) for n in range(2 * MOST, 3 * MOST)]
    assert len(told.anomalies) == MOST


def test_feedback_is_an_event_of_the_sequence() -> None:
    """However the events around it were cut, and saved and loaded between."""
    events = usual(300)
    found = []
    for size in (1, 7, 300):
        detector = StreamDAGMM(batch_size=32)
        for part in (events[:150], events[150:]):
            for start in range(0, len(part), size):
                detector.learn_many(part[start : start + size])
            if len(part) == 150 and part is not events[150:]:
                detector = copy(detector)
            detector.feedback(event(ODD), True)
        found.append(bits(detector))
    assert found[0] == found[1] == found[2]


def test_a_label_that_is_no_boolean_is_refused(settled: StreamDAGMM) -> None:
    with pytest.raises(ValueError, match="label must be True or False"):
        settled.feedback(event(ODD), "anomaly")  # type: ignore[arg-type]
