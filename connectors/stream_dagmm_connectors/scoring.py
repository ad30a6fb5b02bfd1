"""One model and everything that must move with it: events in, scored rows out.

A file has one scorer, a topic one for each partition. It holds all that decides what is written
(model, calibration, lineage), so moving its state moves the stream.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from stream_dagmm import calibration
from stream_dagmm_connectors import composed
from stream_dagmm_connectors.configuration import configuration_of
from stream_dagmm_connectors.dead_letters import Rejection
from stream_dagmm_connectors.decoding import Event
from stream_dagmm_connectors.events import largest_contributions
from stream_dagmm_connectors.feedback import Feedback
from stream_dagmm_connectors.judged import Judged
from stream_dagmm_connectors.plain import short

if TYPE_CHECKING:
    from stream_dagmm.checkpoint import Tree

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
ExplainWhere = Callable[[Floats], Flags]
Reasons = Mapping[int, Mapping[Any, float]]


class Detector(Protocol):
    """The two verbs of a River anomaly detector; a River pipeline that ends in one has them too."""

    def score_one(self, x: dict[Any, Any], /) -> float:
        """The score of an event; higher is stranger."""

    def learn_one(self, x: dict[Any, Any], /) -> object:
        """Learn an event."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """When a score is an alarm, when it is explained, and whether the model learns it.

    Raises `ValueError` for shares outside (0, 1].
    """

    alarm_rate: float = 0.001
    explain_below: float = 0.01
    learn: bool = True

    def __post_init__(self) -> None:
        for name in ("alarm_rate", "explain_below"):
            share = getattr(self, name)
            if not 0.0 < share <= 1.0:
                raise ValueError(f"{name} must be above 0 and at most 1, got {share}")


class Calibrated(NamedTuple):
    """What a run of scores [B] means."""

    p_values: Floats
    """[B] in (0, 1]."""
    alarms: Flags
    warming_up: Flags


class Scorer:
    """Scores events in order, learns each after its score, and says which are alarms.

    The rows are a function of the arguments and the sequence of events alone where the detector
    keeps the law of cuts. No event that is still warming up raises an alarm.
    """

    def __init__(self, detector: Detector, judgement: Judgement, *, lineage: str) -> None:
        self._detector = detector
        self._judgement = judgement
        self._lineage = lineage
        self._calibration = calibration.initial()
        self._learned = int(getattr(detector, "learned", 0))

    @property
    def detector(self) -> Detector:
        """The detector as it stands."""
        return self._detector

    @property
    def lineage(self) -> str:
        """The lineage that every row carries."""
        return self._lineage

    def admitted(self, answer: Event | Feedback | Rejection) -> Event | Feedback | Rejection:
        """The same, or why the detector cannot take it."""
        if isinstance(answer, Feedback) and composed.feedback_of(self._detector) is None:
            name = type(self._detector).__name__
            return Rejection(f"{name} has no feedback(x, label), so it learns from no label",
                             "score")  # fmt: skip
        return answer

    def take(self, items: Sequence[Event | Feedback]) -> Judged:
        """What is said of the events among these, in order; feedback is learned where it stands."""
        judged = Judged()
        for fed_back, group in itertools.groupby(items, lambda item: isinstance(item, Feedback)):
            if fed_back:
                self._learn_labels(cast("Iterable[Feedback]", group))
            else:
                judged.extend(self.score(cast("list[Event]", list(group))))
        return judged

    def _learn_labels(self, labels: Iterable[Feedback]) -> None:
        offered = composed.feedback_of(self._detector)
        if offered is not None and self._judgement.learn:
            for label in labels:
                offered(dict(label.features), label.anomaly)

    def score(self, events: Sequence[Event]) -> Judged:
        """What is said of events [B], in order; afterwards the model has learned them."""
        if not events:
            return Judged()
        calibrated: list[Calibrated] = []

        def explain_where(scores: Floats) -> Flags:
            calibrated.append(self._calibrate(scores))
            return np.asarray(calibrated[-1].p_values <= self._judgement.explain_below)

        scores, reasons = self._prequential([event.features for event in events], explain_where)
        verdicts = Calibrated(*(np.concatenate(parts) for parts in zip(*calibrated, strict=True)))
        first, step = self._learned, 1 if self._judgement.learn else 0
        self._learned += step * len(events)
        return Judged(
            times=[event.time for event in events],
            scores=scores.tolist(),
            p_values=verdicts.p_values.tolist(),
            alarms=verdicts.alarms.tolist(),
            warming_up=verdicts.warming_up.tolist(),
            contributions=_largest(reasons, len(events)),
            learned=[first + step * place for place in range(len(events))],
        )

    def _calibrate(self, scores: Floats) -> Calibrated:
        past, rate = self._calibration, self._judgement.alarm_rate
        p, self._calibration = calibration.p_values(past, scores)
        warming_up = calibration.is_warming_up(past, len(scores), rate)
        alarms = calibration.is_alarm(p, rate) & ~warming_up
        return Calibrated(p, alarms, warming_up)

    def _prequential(
        self, rows: Sequence[Mapping[str, Any]], explain_where: ExplainWhere
    ) -> tuple[Floats, Reasons]:
        if not self._judgement.learn:
            return _score_only(self._detector, rows, explain_where)
        prequential = composed.fast_way(self._detector)
        if prequential is None:
            return _one_by_one(self._detector, rows, explain_where)
        return cast("tuple[Floats, Reasons]", prequential(rows, explain_where))

    def diagnostics(self) -> Mapping[str, float | list[float]]:
        """What the detector says of its own learning; empty where it says nothing."""
        offered = getattr(self._detector, "diagnostics", None)
        return offered() if callable(offered) else {}

    def to_state(self) -> dict[str, Tree]:
        """All that is needed to go on; `ValueError` if the detector cannot be saved."""
        return {
            "detector": composed.state_of(self._detector),
            "calibration": calibration.to_tree(self._calibration),
            "learned": self._learned,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `to_state` gave, here or in another process."""
        self._detector = composed.restored(self._detector, state["detector"])
        self._calibration = calibration.from_tree(state["calibration"])
        self._learned = int(state["learned"])


def _largest(reasons: Reasons, count: int) -> list[dict[str, float] | None]:
    """The contributions of each of `count` events; None of those that nobody explained."""
    shown: list[dict[str, float] | None] = [None] * count
    for place, shares in reasons.items():
        shown[place] = largest_contributions({str(name): share for name, share in shares.items()})
    return shown


def scoring_configuration(detector: Detector, judgement: Judgement) -> dict[str, object]:
    """Everything about a detector and its judgement that decides what is written."""
    return {
        "detector": configuration_of(detector),
        "alarm_rate": judgement.alarm_rate,
        "explain_below": judgement.explain_below,
        "learn": judgement.learn,
    }


def _one_by_one(
    detector: Detector, rows: Sequence[Mapping[str, Any]], explain_where: ExplainWhere
) -> tuple[Floats, Reasons]:
    scores = np.empty(len(rows))
    reasons: dict[int, Mapping[Any, float]] = {}
    for place, row in enumerate(rows):
        event = dict(row)
        try:
            scores[place] = detector.score_one(event)
            if explain_where(scores[place : place + 1])[0]:
                reasons |= _explained(detector, event, place)
            detector.learn_one(event)
        except Exception as error:
            error.add_note(
                f"{type(detector).__name__} was given {short(event)}; put before it what selects "
                "the fields that it takes, as compose.SelectType(int, float) | ... does"
            )
            raise
    return scores, reasons


def _score_only(
    detector: Detector, rows: Sequence[Mapping[str, Any]], explain_where: ExplainWhere
) -> tuple[Floats, Reasons]:
    score_many = getattr(detector, "score_many", None)
    scores = (
        np.array([detector.score_one(dict(row)) for row in rows], dtype=np.float64)
        if score_many is None
        else np.asarray(score_many(rows), dtype=np.float64)
    )
    reasons: dict[int, Mapping[Any, float]] = {}
    for place in np.flatnonzero(explain_where(scores)).tolist():
        reasons |= _explained(detector, dict(rows[place]), place)
    return scores, reasons


def _explained(
    detector: Detector, event: dict[str, Any], place: int
) -> dict[int, Mapping[Any, float]]:
    reasons = composed.explained(detector, event)
    return {} if reasons is None else {place: reasons}
