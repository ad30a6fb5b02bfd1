"""A run on topics as a `Pipeline`: any River anomaly detector, a clone of it for each partition."""

from __future__ import annotations

import logging
from typing import Any

from stream_dagmm_connectors import composed
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.kafka.ends import KafkaSink, KafkaSource
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.pacing import OnError
from stream_dagmm_connectors.kafka.run import run
from stream_dagmm_connectors.scoring import Detector, Judgement

LOG = logging.getLogger("stream_dagmm")


class KafkaPipeline:
    """Scores every event of the topics, learns it, and writes what was found.

    A detector that offers `to_state` and `from_state` runs exactly once, with checkpoints. Any
    other runs at least once and without: after a restart each partition is learned again from
    where its lineage began, silently, so give such a detector a seed and the topic a retention
    that fits. Raises `ValueError` for exactly-once with a detector that cannot be saved, for a
    transformer that would be forgotten, and for wrong options.
    """

    def __init__(
        self,
        source: KafkaSource,
        detector: Detector,
        sink: KafkaSink,
        *,
        decoder: Decoder | None = None,
        judgement: Judgement | None = None,
        on_error: OnError = "dead-letter",
    ) -> None:
        _refuse_what_cannot_be_cloned(detector)
        self._keeps = _keeps(detector, source.delivery)
        delivery = source.delivery or ("exactly-once" if self._keeps else "at-least-once")
        self._options = source.to(sink, delivery=delivery, on_error=on_error)
        self._detector = detector
        self._events = {} if decoder is None else decoder.configuration()
        self._judgement = Judgement() if judgement is None else judgement
        self._scoring: Scoring | None = None
        self._stopping = False

    def run(self) -> None:
        """Score until `stop`, or a signal where this is the main thread; then commit and leave.

        Raises `Stopped` and `Fatal` with a message for people when it cannot go on.
        """
        if not self._keeps:
            LOG.warning(
                "%s: %s and without checkpoints; a restart learns the log again",
                type(self._detector).__name__,
                self._options.delivery,
            )
        run(
            self._options,
            self._fresh,
            self._judgement,
            lambda: Decoder(**self._events),
            keeps=self._keeps,
            watch=self._watch,
        )

    def stop(self) -> None:
        """Finish what is in hand, commit, save and return from `run`; from any thread."""
        self._stopping = True
        if self._scoring is not None:
            self._scoring.stop()

    def _watch(self, scoring: Scoring) -> None:
        self._scoring = scoring
        if self._stopping:
            scoring.stop()

    def _fresh(self) -> Detector:
        clone: Any = self._detector.clone()  # type: ignore[attr-defined]
        fresh: Detector = clone
        return fresh


def _refuse_what_cannot_be_cloned(detector: Detector) -> None:
    if not hasattr(detector, "clone"):
        raise ValueError(
            f"{type(detector).__name__} has no clone(), expected an estimator of River: every "
            "partition has a model of its own; derive it from river.base.AnomalyDetector"
        )


def _keeps(detector: Detector, delivery: str | None) -> bool:
    """Whether there are checkpoints; `ValueError` where what was asked for cannot be had."""
    if delivery == "at-least-once" and not _whole(detector):
        return False
    if delivery is None and not composed.offers_state(detector):
        return False
    composed.state_of(detector)
    return True


def _whole(detector: Detector) -> bool:
    try:
        composed.state_of(detector)
    except ValueError:
        return False
    return True
