"""The loop: one event from source to sink, and why a crash at any instant changes nothing.

    read -> decode -> score, calibrate, explain -> write            a few hundred records at a time
    flush the sinks -> save {model, calibration, position, extents} every `checkpoint_every` records

A checkpoint is saved after the sinks were flushed, and holds how much they held. To go on: load it,
cut the sinks back to those extents, seek the source to that position. Input, output and model then
stand at the same event, and by the law of cuts what follows is what an undisturbed run writes.
This file knows ports only: no file, no topic, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stream_dagmm_connectors import events as wire
from stream_dagmm_connectors.composed import fingerprint_of
from stream_dagmm_connectors.decoding import Decoder, Event
from stream_dagmm_connectors.evaluation import LabelledScore
from stream_dagmm_connectors.events import DeadLetter, Position, ScoredEvent
from stream_dagmm_connectors.metrics import Counters
from stream_dagmm_connectors.ports import CheckpointStore, Record, Sink, Source
from stream_dagmm_connectors.resuming import (
    CHECKPOINT_FORMAT,
    lineage_of,
    position_of,
    refuse_another,
    told,
)
from stream_dagmm_connectors.scoring import Detector, Judgement, Scorer
from stream_dagmm_connectors.sifting import sift
from stream_dagmm_connectors.steps import BadRecord, Observer, OnError, Pace, Sinks, Step, Summary

RECORDS_A_STEP = 512
"""Enough that a detector works on whole blocks, few enough that Ctrl-C is answered at once."""


class Pipeline:
    """Scores every event of a source, learns it, and writes what was found, in order and once.

    A source of several logs needs `another`, which makes the detector of each further one. With
    `checkpoints` it goes on where an earlier run of the same arguments stopped, however that
    one ended. Raises `ValueError` when a checkpoint there was made by other arguments, when the
    detector cannot be saved, and `BadRecord` under `on_error="fail"`.
    """

    def __init__(
        self,
        source: Source,
        detector: Detector,
        sink: Sink[ScoredEvent] | None = None,
        *,
        dead_letters: Sink[DeadLetter] | None = None,
        labelled: Sink[LabelledScore] | None = None,
        decoder: Decoder | None = None,
        judgement: Judgement | None = None,
        on_error: OnError = "dead-letter",
        checkpoints: CheckpointStore | None = None,
        checkpoint_every: int = 10_000,
        observers: Mapping[str, Observer] | None = None,
        pace: Pace | None = None,
        parent: str | None = None,
        another: Callable[[], Detector] | None = None,
    ) -> None:
        if checkpoint_every < 1:
            raise ValueError(f"checkpoint_every must be at least 1 record, got {checkpoint_every}")
        judgement = Judgement() if judgement is None else judgement
        self._source = source
        self._sinks = Sinks(sink, dead_letters, labelled)
        self._decoder = Decoder() if decoder is None else decoder
        self._on_error = on_error
        self._checkpoints = checkpoints
        self._checkpoint_every = checkpoint_every
        self._observers = dict(observers or {})
        self._pace = pace
        self._told = told(source, detector, self._decoder, judgement, parent)
        self._fingerprint = fingerprint_of(detector)
        self._judgement, self._parent, self._another = judgement, parent, another
        self._untaught = self._decoder.to_state()
        self._begin_log(detector)
        self._next = self._start
        self._stopping = False
        self.counters = Counters()
        self.busy = False
        self._begun = False

    @property
    def detector(self) -> Detector:
        """The detector as it stands; after `run`, with all that it learned."""
        return self._scorer.detector

    def begin(self) -> None:
        """Claim the sinks, or restore all of them and the model; `run` does it if nobody did.

        Every refusal of a run that cannot work comes from here, before anything was scored.
        """
        tree: Any = None if self._checkpoints is None else self._checkpoints.load()
        if tree is not None:
            self._restore(tree)
        else:
            # Saved before the first row, so that a crash before the second checkpoint has one to
            # go back to, and the rows written by then can be cut off.
            self._save()
        self._begun = True

    def run(self) -> Summary:
        """Go through the source to its end, or until `stop`; then save, close, and sum up."""
        try:
            if not self._begun:
                self.begin()
            while not self._stopping:
                records = self._read()
                if records:
                    self._step(records)
                elif self._source.finished:
                    break
            self.busy = True
            self._save()
        finally:
            self._close()
        done = self.counters
        return Summary(done.events, done.alarms, dict(done.dead_letters), self._stopping)

    def stop(self) -> None:
        """Finish the records in hand, save and return from `run`; safe in a signal handler.

        Unless `busy`, nothing is in hand, and the handler may raise `KeyboardInterrupt` to end a
        wait for records. Raised while busy it is a crash like any other: nothing is saved, the
        last checkpoint stands, and the next run goes on from there.
        """
        self._stopping = True

    def _begin_log(self, detector: Detector) -> None:
        self._start: Position = self._source.start
        lineage = lineage_of(self._source, self._told, self._parent)
        self._scorer = Scorer(detector, self._judgement, lineage=lineage)
        self._decoder.load_state(self._untaught)

    def _follow(self) -> None:
        """Begin another model where the source has gone over to another log."""
        if self._source.start != self._start:
            if self._another is None:
                raise ValueError("a source of several logs needs another(), a detector for each")
            self._begin_log(self._another())

    def _restore(self, tree: Mapping[str, Any]) -> None:
        refuse_another(tree, self._told, self._fingerprint, self._sinks.named())
        self._next = position_of(tree["position"])
        self._source.seek(self._next)
        self._follow()
        self._scorer.restore(tree["scorer"])
        self._decoder.load_state(tree["decoder"])
        self.counters = Counters.from_state(tree["counters"])
        for name, observer in self._observers.items():
            if name in tree["observers"]:
                observer.restore(tree["observers"][name])
        # Last, so that a run that is refused for its source or its model has cut nothing off.
        for name, sink in self._sinks.named().items():
            if name in tree["extents"]:
                sink.cut_back(tree["extents"][name])
            else:
                sink.flush()  # an output that was added since claims its place

    def _read(self) -> list[Record]:
        self.busy = False
        try:
            records = self._source.read(self._at_most())
            self.busy = True
        except KeyboardInterrupt:
            # Whatever was being read is not in hand: the position has not moved, and the source
            # is not asked again.
            self._stopping = True
            return []
        return records

    def _at_most(self) -> int:
        """Steps end at multiples of both sizes, so that a resumed run takes the same steps."""
        done, every = self.counters.records, self._checkpoint_every
        room = min(RECORDS_A_STEP - done % RECORDS_A_STEP, every - done % every)
        return room if self._pace is None else min(room, self._pace.at_most)

    def _step(self, records: Sequence[Record]) -> None:
        self._follow()
        fail, name = self._on_error == "fail", self._source.name
        items, dead, bad = sift(records, self._decoder, self._scorer, name, fail=fail)
        places = [place for place, answer in items if isinstance(answer, Event)]
        events = [answer for _, answer in items if isinstance(answer, Event)]
        self._wait([event.time for event in events])
        judged = self._scorer.take([answer for _, answer in items])
        scored = judged.rows(name, places, self._scorer.lineage)
        self._write(scored, events, dead)
        self._next = records[-1].position.after() if bad is None else bad.position
        self.counters.count(scored, dead)
        self.counters.feedback += len(items) - len(events)
        for observer in self._observers.values():
            observer.observe(Step(scored, dead, self.counters, self._scorer.diagnostics))
        if bad is not None:
            self._save()
            raise BadRecord(f"{wire.place(bad.source, bad.position)}: {bad.reason}")
        if self.counters.records % self._checkpoint_every == 0:
            self._save()

    def _wait(self, times: Sequence[wire.Time]) -> None:
        if self._pace is None or not times:
            return
        self.busy = False
        try:
            self._pace.wait(times)
        except KeyboardInterrupt:
            self._stopping = True  # the events in hand are scored at once, and are the last
        self.busy = True

    def _write(
        self, scored: Sequence[ScoredEvent], events: Sequence[Event], dead: Sequence[DeadLetter]
    ) -> None:
        sinks = self._sinks
        if sinks.scored is not None and scored:
            sinks.scored.write(scored)
        if sinks.dead_letters is not None and dead and self._on_error == "dead-letter":
            sinks.dead_letters.write(dead)
        if sinks.labelled is not None and events:
            pairs = zip(scored, events, strict=True)
            sinks.labelled.write([LabelledScore(row.score, e.label) for row, e in pairs])

    def _save(self) -> None:
        extents: Any = {name: sink.flush() for name, sink in self._sinks.named().items()}
        if self._checkpoints is None:
            return
        self._checkpoints.save(
            {
                "format": CHECKPOINT_FORMAT,
                "run": self._told,
                "arithmetic": dict(self._fingerprint),
                "lineage": self._scorer.lineage,
                "position": asdict(self._next),
                "extents": extents,
                "scorer": self._scorer.to_state(),
                "decoder": self._decoder.to_state(),
                "counters": self.counters.to_state(),
                "observers": {name: o.to_state() for name, o in self._observers.items()},
            }
        )

    def _close(self) -> None:
        for sink in self._sinks.named().values():
            sink.close()
        self._source.close()
