"""One stream through several detectors in one pass: scores, labels, time and latent pictures.

Every detector scores each event before it learns it, as in `replay`. The events go to all of them
in the same runs, one detector after the other; each one's clock runs only during its own turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_dagmm.latent import latent_many
from stream_dagmm.stream import BlockDetector
from stream_dagmm_connectors.dead_letters import Rejection
from stream_dagmm_connectors.decoding import Decoder, Event
from stream_dagmm_connectors.evaluation import LabelledScore, LabelledScores, truth
from stream_dagmm_connectors.metrics import Counters
from stream_dagmm_connectors.ports import Source
from stream_dagmm_connectors.report.comparison import Found, Row
from stream_dagmm_connectors.report.latents import Pictures
from stream_dagmm_connectors.scoring import Detector

Floats = npt.NDArray[np.float64]
Rows = Sequence[dict[str, Any]]
Labels = Sequence[bool | None]

RECORDS_A_RUN = 512
EVENTS_A_PICTURE = 256
"""About so many: enough to see shapes, few enough for a page of thirty pictures."""


class Contestant:
    """A detector with its scores on disk, its clock and its pictures."""

    def __init__(self, name: str, detector: Detector, folder: Path) -> None:
        self.name = name
        self.pictures = Pictures()
        self.scores = LabelledScores(folder / f"{name}.scores")
        self.scores.write([])
        self._detector = detector
        self._seconds = 0.0
        self._events = 0

    def take(self, events: Rows, labels: Labels) -> None:
        """Score each event, then learn it."""
        before = time.process_time()
        scores = prequential(self._detector, events)
        self._seconds += time.process_time() - before
        self._events += len(events)
        pairs = zip(scores.tolist(), labels, strict=True)
        self.scores.write([LabelledScore(score, label) for score, label in pairs])
        if self.pictures.due(self._events):
            self.draw(events, labels)

    def draw(self, events: Rows, labels: Labels) -> None:
        """Keep a picture of where the detector sees the events."""
        if isinstance(self._detector, BlockDetector):
            shown = slice(None, None, max(1, len(events) // EVENTS_A_PICTURE))
            seen = latent_many(self._detector, events[shown])
            strange = np.array([label is True for label in labels[shown]], dtype=np.bool_)
            self.pictures.add(self._events, seen, strange)

    def row(self) -> Row:
        """What was found."""
        microseconds = 1e6 * self._seconds / max(1, self._events)
        return Row(self.name, self.scores.verdict(), microseconds)


def prequential(detector: Detector, events: Rows) -> Floats:
    """Scores [B] of events, each before it is learned; many at once where the detector can."""
    many: Callable[[Rows], Floats] | None = getattr(detector, "score_learn_many", None)
    if many is not None:
        return many(events)
    scores = np.empty(len(events))
    for place, event in enumerate(events):
        scores[place] = detector.score_one(event)
        detector.learn_one(event)
    return scores


def compared(
    source: Source,
    decoder: Decoder,
    detectors: Mapping[str, Detector],
    folder: Path,
    watch: Callable[[Counters], None],
) -> Found:
    """All events of the source through all detectors. Scores stand in files in `folder`, nine bytes
    each, so memory is bounded until the end, when two detectors' scores are ranked at a time. watch
    is told the counters after every run of records."""
    contestants = [Contestant(name, detector, folder) for name, detector in detectors.items()]
    counters = Counters()
    events: Rows = []
    labels: Labels = []
    try:
        while not source.finished:
            answers = decoder.decode_many(source.read(RECORDS_A_RUN))
            run = [answer for answer in answers if isinstance(answer, Event)]
            for stage in (answer.stage for answer in answers if isinstance(answer, Rejection)):
                counters.dead_letters[stage] = counters.dead_letters.get(stage, 0) + 1
            if run:
                events, labels = [e.features for e in run], [truth(e.label) for e in run]
                for contestant in contestants:
                    contestant.take(events, labels)
            counters.events += len(run)
            watch(counters)
        for contestant in contestants:
            contestant.draw(events, labels)
        return found(counters, contestants)
    finally:
        for contestant in contestants:
            contestant.scores.close()


def found(counters: Counters, contestants: Sequence[Contestant]) -> Found:
    """What stands in the files, summed up."""
    table = np.eye(len(contestants))
    for (one, a), (other, b) in combinations(enumerate(contestants), 2):
        table[one, other] = rank_correlation(a.scores.scores(), b.scores.scores())
        table[other, one] = table[one, other]
    pictures = {contestant.name: contestant.pictures for contestant in contestants}
    return Found(counters, [contestant.row() for contestant in contestants], table, pictures)


def rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's rank correlation of two lists of scores [N], ties sharing their mean rank; NaN
    where one of them does not vary.

    >>> rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([0.1, 0.2, 0.3]))
    1.0
    """
    a, b = ranks(one), ranks(other)
    scatter = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return round(float((a * b).sum()) / scatter, 12) if scatter > 0.0 else float("nan")


def ranks(values: Floats) -> Floats:
    """Ranks [N] about their mean, ties sharing theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle = last - (counts - 1) / 2.0 - (len(values) + 1) / 2.0
    return np.asarray(middle[place])
